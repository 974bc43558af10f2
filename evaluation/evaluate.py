"""Measure recall@N: embed the photos of a truth, rank by exact search, count."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.core.version import program_version
from place_search.evaluation.caveats import chance_level, listed_twice, unreadable
from place_search.evaluation.descriptors import Database, IndexDatabase, Scratch, ScratchDatabase
from place_search.evaluation.errors import MeasureError
from place_search.evaluation.open_set import measure_open_set, with_similarity_alone
from place_search.evaluation.position_error import error_percentiles, position_errors
from place_search.evaluation.protocol import EvaluationProtocol, open_protocol
from place_search.evaluation.ranking import NOTHING, Ranked, rank
from place_search.evaluation.recall import checked_ks, recall_at
from place_search.evaluation.results import EvalReport, find_published
from place_search.evaluation.sequences import (
    CANDIDATES,
    QuerySimilarities,
    Window,
    query_routes,
    rank_sequences,
)
from place_search.evaluation.standardized import Standards, measure_standards
from place_search.evaluation.truth.ground_truth import GroundTruth, Rows
from place_search.indexer import PlacePhoto, Row, Skipped
from place_search.indexer.pipeline import StageClock, embed_photos
from place_search.models import Model
from place_search.search.index_calibration import calibration_for
from place_search.search.probability import BACKGROUND
from place_search.search.tracks.routes import Routes
from place_search.search.verification import is_blank_place

RECALL_KS = (1, 5, 10)
MIN_RESULTS = max(25, BACKGROUND)
"""Results kept of each query: enough for the report's curve and gallery, and for the background
similarities of a probability."""
QUERY_BYTES = 512 << 20
MAX_BLOCK = 4096


class Reranker(Protocol):
    """Puts the first `depth` results of a search in another order, as spatial verification does."""

    depth: int

    def see(self, name: str, photo: Row) -> None:
        """Keep the data of an embedded database photo that reranking needs."""
        ...

    def rerank(
        self, query: str, names: Sequence[str], similarities: Sequence[float]
    ) -> tuple[list[int], float]:
        """The new order of a query's results, and the probability that the first one is right.

        `names` are those of the results, best first; the order is of indices into `names`.
        """
        ...


def evaluate(
    truth: GroundTruth,
    model: Model,
    *,
    ks: Iterable[int] = RECALL_KS,
    protocol: str | None = None,
    index: IndexDatabase | None = None,
    reranker: Reranker | None = None,
    open_set: bool = False,
    at_precision: float | None = None,
    standardize: bool = False,
    window: Window | None = None,
    progress: Progress = silent,
    query_bytes: int = QUERY_BYTES,
) -> EvalReport:
    """Recall@N of `model` on `truth`, for each N of `ks`, by a named protocol or the data's own.

    A query that is in the database is left out of its own results. Photos that cannot be read are
    listed in the report; such a query counts as wrong. With an `index` of the database its
    descriptors are used and only the queries are embedded. `open_set` also measures the verdicts
    on queries whose place is not in the database, and the threshold from which on a share
    `at_precision` (0–1) of the answers "found" is right. `standardize` centres and scales the
    descriptors of queries and database, each by its own statistics. With a `window` each query is
    ranked by its neighbours too, as frames of a track. Descriptors are on disk: memory holds
    those of at most `query_bytes` of queries and of one chunk of the database. `progress` is
    called after each photo.

    Raises:
        TruthError: missing photos, an unknown protocol or one that the truth does not fit, an
            index that lacks photos or has others, no room for the descriptors.
        ModelMismatchError: the index was made with another model.
    """
    ks = checked_ks(ks)
    if reranker is not None and window is not None:
        raise MeasureError(
            "Sequences are ranked without geometry: leave out --sequence or --verify.", "verify"
        )
    truth.require_photos()
    rules = open_protocol(truth, protocol)
    sequences = None if window is None else (window, query_routes(truth))
    alone = reranker is None and sequences is None
    result_count = max(ks[-1], MIN_RESULTS, 0 if reranker is None else reranker.depth)
    clock = StageClock()
    work = _Work(truth, rules, model, index, query_bytes)
    with clock.stage("embed"):
        work.embed(reranker, progress)
    with clock.stage("search"):
        candidates = work.candidates(result_count, standardize)
        ranked = _counted_results(rules, candidates, result_count)
    first = recall = recall_at([results.rows for results in ranked], rules.positives, ks)
    with clock.stage("verify"):
        if reranker is not None:
            ranked = _counted_results(rules, work.by_geometry(reranker, candidates), result_count)
        elif sequences is not None:
            ranked = work.by_sequences(*sequences, result_count)
    if not alone:
        recall = recall_at([results.rows for results in ranked], rules.positives, ks)
    open_set_figures, notes = None, tuple[str, ...]()
    if open_set:
        calibration, notes = calibration_for(None if index is None else index.index, model)
        if alone:
            ranked = [
                with_similarity_alone(results, calibration, ks[-1], is_blank=work.is_blank(query))
                for query, results in enumerate(ranked)
            ]
        open_set_figures = measure_open_set(ranked, rules.positives, calibration, at_precision)
    seconds, chance, errors = clock.seconds(), rules.chance(ks), position_errors(truth, ranked)
    return EvalReport(
        protocol=rules.name,
        model=model.card.id,
        database=len(truth.database),
        queries=len(truth.queries),
        queries_without_positives=rules.right().count(0),
        recall=recall,
        unverified=None if reranker is None else first,
        single=None if sequences is None else first,
        chance=chance,
        seconds=seconds,
        unreadable=list(work.skipped.values()),
        warnings=[*work.warnings(recall, chance), *notes],
        published=find_published(model.card.recall, truth.name),
        error_m=error_percentiles(errors),
        error_queries=int(np.isfinite(errors).sum()),
        open_set=open_set_figures,
        description=rules.description,
        runtime=model.in_short,
        ms_a_photo=1000 * seconds["embed"] / len(work.to_embed) if work.to_embed else None,
        bytes_a_photo=work.bytes_a_photo,
        version=program_version(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint=model.fingerprint,
        precision=model.card.precision,
        settings={
            "at": ks,
            "radius_m": truth.radius_m,
            "dims": model.card.dims,
            "verify": reranker is not None,
            "candidates": None if reranker is None else reranker.depth,
            "index": None if index is None else index.identity,
            "standardize": standardize,
            "sequence": None if window is None else window._asdict(),
        },
        ranked=ranked,
        positives=rules.positives,
    )


class _Work:
    """The photos of a truth as rows: the database first, then the queries that are not in it."""

    def __init__(
        self,
        truth: GroundTruth,
        rules: EvaluationProtocol,
        model: Model,
        index: IndexDatabase | None,
        query_bytes: int,
    ) -> None:
        self.truth, self.rules, self.model, self.query_bytes = truth, rules, model, query_bytes
        count = len(truth.database)
        listed = set(truth.database)
        self.names = (
            *truth.database,
            *dict.fromkeys(name for name in truth.queries if name not in listed),
        )
        row_of = {name: row for row, name in enumerate(self.names)}
        self.query_rows: Rows = np.array([row_of[name] for name in truth.queries], dtype=np.int64)
        self.indexed = index
        self.to_embed = range(len(self.names))
        if index is not None:
            index.index.check_model(model)
            index.require_all()
            self.to_embed = range(count, len(self.names))
        self.scratch = Scratch(len(self.to_embed), model.card.dims)
        self.described_count = self.local_bytes = 0
        self._blank_rows: set[int] = set()
        self.skipped: dict[int, Skipped] = dict(index.skipped) if index is not None else {}
        """The photos that cannot be read, by row."""

    def embed(self, reranker: Reranker | None, progress: Progress) -> None:
        """Embed the photos that are not in the index; the reranker sees those of the database."""
        photos = (
            (row, PlacePhoto(self.truth.path(self.names[row]), self.names[row]))
            for row in self.to_embed
        )
        embedding = embed_photos(photos, self.truth.root, self.model, StageClock())
        for count, (row, result) in enumerate(embedding, 1):
            if isinstance(result, Skipped):
                self.skipped[row] = result
            else:
                self.scratch.write(row - self.to_embed.start, result.descriptor)
                self.described_count += 1
                self.local_bytes += result.codes.nbytes
                if result.is_blank:
                    self._blank_rows.add(row)
                if reranker is not None and row < len(self.truth.database):
                    reranker.see(self.names[row], result)
            progress("Describing", count, len(self.to_embed))

    @property
    def bytes_a_photo(self) -> float:
        """Bytes that an index keeps of a photo, a new one in int8: a descriptor, and codes."""
        if self.indexed is not None:
            return self.indexed.index.bytes_a_photo
        return self.model.card.dims + self.local_bytes / max(1, self.described_count)

    def is_blank(self, query: int) -> bool:
        """Whether a query looks the same all over, so that it shows no place."""
        if self.query_rows[query] >= self.to_embed.start:
            return int(self.query_rows[query]) in self._blank_rows
        if self.indexed is None or self.model.card.local_features is None:
            return False
        codes = self.indexed.codes(self.truth.queries[query])
        return codes is not None and is_blank_place(codes)

    def candidates(self, count: int, standardize: bool) -> list[Ranked]:
        """The candidates of each query, with the similarities that a search gives."""
        rankings = self._search(count, self.standards if standardize else None)
        if self.rules.filters_candidates:
            rankings = _counted_results(self.rules, rankings, count)
        if not standardize:
            return rankings
        return self._with_similarities((each.rows, each.probability) for each in rankings)

    def warnings(self, recall: Mapping[int, float], chance: Mapping[int, float]) -> list[str]:
        """Sentences on what the figures do not show."""
        lost_queries = sum(row in self.skipped for row in self.query_rows.tolist())
        return [
            *self.truth.warnings,
            *self.rules.warnings,
            *listed_twice(self.truth),
            *unreadable(len(self.skipped), lost_queries),
            *chance_level(self.truth, recall, chance, self.rules.candidates(), self.rules.right()),
        ]

    def _search(self, count: int, standards: Standards | None) -> list[Ranked]:
        """The results of each query, enough for its protocol to keep `count` of them.

        Photos that could not be read are neither queries nor results.
        """
        rankings: list[Ranked] = []
        for rows in self._blocks(self.query_rows):
            database = self._database().chunks()
            # The queries have no name here, so that a block is freed before the next one is read.
            rankings += rank(
                self._queries(rows, standards),
                database if standards is None else standards.chunks(database),
                self.rules.depth(count),
                own=self.truth.own_rows[len(rankings) : len(rankings) + len(rows)],
                unreadable=self._unreadable,
                keep=partial(self._keep, len(rankings)) if self.rules.filters_search else None,
            )
        return [
            NOTHING if row in self.skipped else results
            for row, results in zip(self.query_rows.tolist(), rankings, strict=True)
        ]

    def _with_similarities(self, found: Iterable[tuple[Rows, float]]) -> list[Ranked]:
        """Each query's rows and the first one's probability, with similarities as in a search.

        These are those of plain descriptors, however the rows were ranked.
        """
        ranked = []
        for query, (rows, probability) in zip(self.query_rows.tolist(), found, strict=True):
            [descriptor] = self._queries(np.array([query]))
            # A product of matrices gives equal descriptors different similarities, see `rank`.
            similarities = np.vecdot(self._queries(rows), descriptor)
            ranked.append(Ranked(rows, similarities, probability))
        return ranked

    @cached_property
    def standards(self) -> Standards:
        """The statistics that queries and database are standardised by."""
        readable = self.query_rows[~np.isin(self.query_rows, list(self.skipped))]
        return measure_standards(
            self._database().chunks(),
            len(self.truth.database),
            map(self._queries, self._blocks(readable)),
            self._unreadable,
            self.model.card.dims,
        )

    def by_sequences(
        self, window: Window, routes: tuple[Routes, Routes], count: int
    ) -> list[Ranked]:
        """The results of each query by its neighbours on its route."""
        rules, own, unreadable_rows = self.rules, self.truth.own_rows, self._unreadable
        alone = _counted_results(rules, self._search(CANDIDATES, self.standards), CANDIDATES)
        similarities = self._similarities(alone, np.argsort(routes[0].coordinate))
        ranked = rank_sequences(
            *routes,
            similarities,
            window,
            lambda query, rows: (
                rules.keep(query, rows)
                & ~np.isin(rows, own[query])
                & ~np.isin(rows, unreadable_rows)
            ),
        )
        return self._with_similarities((rows[:count], probability) for rows, probability in ranked)

    def _similarities(self, ranked: list[Ranked], order: Rows) -> QuerySimilarities:
        """The similarities that rank sequences; `order` lists the queries along their routes."""
        standards = self.standards
        usual = np.zeros((len(order), len(standards.usual)), np.float32)
        like_before = np.zeros(len(order), np.float32)
        before: NDArray[np.float32] | None = None
        for query in order.tolist():
            if int(self.query_rows[query]) in self.skipped:
                continue
            [descriptor] = self._queries(self.query_rows[[query]], standards)
            usual[query] = standards.usual @ descriptor
            if before is not None:
                like_before[query] = before @ descriptor
            before = descriptor
        return QuerySimilarities(ranked, usual, like_before)

    def by_geometry(self, reranker: Reranker, rankings: list[Ranked]) -> list[Ranked]:
        """The results of each query, reranked; those of unreadable queries unchanged."""
        return [
            results if row in self.skipped else _reranked(self.truth, reranker, query, results)
            for query, (row, results) in enumerate(
                zip(self.query_rows.tolist(), rankings, strict=True)
            )
        ]

    def _database(self) -> Database:
        return self.indexed or ScratchDatabase(
            self.scratch, len(self.truth.database), self.model.card.dims
        )

    @property
    def _unreadable(self) -> Rows:
        count = len(self.truth.database)
        return np.array([row for row in sorted(self.skipped) if row < count], dtype=np.int64)

    def _keep(self, first: int, query: int, rows: Rows) -> NDArray[np.bool_]:
        return self.rules.keep(first + query, rows)

    def _blocks(self, rows: Rows) -> Iterator[Rows]:
        size = min(MAX_BLOCK, max(1, self.query_bytes // (4 * self.model.card.dims)))
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    def _queries(self, rows: Rows, standards: Standards | None = None) -> NDArray[np.float32]:
        if standards is not None:
            return standards.queries.apply(self._queries(rows))
        is_indexed = rows < self.to_embed.start
        if self.indexed is None or not is_indexed.any():
            return self.scratch.take(rows - self.to_embed.start)
        queries = np.empty((len(rows), self.model.card.dims), dtype=np.float32)
        queries[is_indexed] = self.indexed.take(rows[is_indexed])
        queries[~is_indexed] = self.scratch.take(rows[~is_indexed] - self.to_embed.start)
        return queries


def _reranked(truth: GroundTruth, reranker: Reranker, query: int, results: Ranked) -> Ranked:
    names = [truth.database[row] for row in results.rows.tolist()]
    order, first = reranker.rerank(truth.queries[query], names, results.similarities.tolist())
    return Ranked(results.rows[order], results.similarities[order], first)


def _counted_results(
    rules: EvaluationProtocol, rankings: Iterable[Ranked], count: int
) -> list[Ranked]:
    """The first `count` results of each query that its protocol keeps.

    Where the protocol drops the very first result, the probability of the next is not known: 0.
    """
    counted = []
    for query, (rows, similarities, probability) in enumerate(rankings):
        counting = np.flatnonzero(rules.keep(query, rows))[:count]
        first_probability = probability if 0 in counting[:1] else 0.0
        counted.append(Ranked(rows[counting], similarities[counting], first_probability))
    return counted
