"""Measure recall@N: embed the photos of a truth, rank by exact search, count."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.core.version import program_version
from place_search.evaluation.caveats import chance_level, listed_twice, unreadable
from place_search.evaluation.descriptors import Database, IndexDatabase, Scratch, ScratchDatabase
from place_search.evaluation.errors import MeasureError
from place_search.evaluation.open_set import measure_open_set, with_similarity_alone
from place_search.evaluation.position_error import error_percentiles
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
from place_search.search.index_calibration import borrowed_note, calibration_for
from place_search.search.probability import BACKGROUND

RECALL_KS = (1, 5, 10)
KEPT = max(25, BACKGROUND)
"""Results kept of each query at least: for the report's curve and gallery, and what is usual."""
QUERY_BYTES = 512 << 20
MAX_BLOCK = 4096


class Reranker(Protocol):
    """Puts the results of the search in another order, as spatial verification does.

    `depth` is how many results it looks at.
    """

    depth: int

    def see(self, name: str, photo: Row) -> None:
        """Take note of a photo that was embedded, the database first."""
        ...

    def rerank(
        self, query: str, names: Sequence[str], similarities: Sequence[float]
    ) -> tuple[list[int], float]:
        """The new order of a query's results, as places in `names`, which is best first.

        With it comes the probability that the first one is right.
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
    descriptors are taken and only the queries are embedded. `open_set` measures what is said of
    queries whose place is not there, too, and from which threshold on a share `at_precision` (0–1)
    of what is found is right. `standardize` centres and scales the descriptors of
    queries and database, each by its own statistics. With a `window` each query is ranked by its
    neighbours too, as frames of a track. Descriptors are on disk: in memory are those of at most
    `query_bytes` of queries and of one chunk of the database. `progress` is told of each photo.

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
    routes = None if window is None else query_routes(truth)
    started = time.perf_counter()
    work = _Work(truth, rules, model, index, reranker)
    skipped = work.embed(progress)
    embedded = time.perf_counter()
    kept = max(ks[-1], KEPT, 0 if reranker is None else reranker.depth)
    standards = work.standards(skipped, query_bytes) if standardize or window else None
    rankings = work.search(kept, skipped, query_bytes, standards if standardize else None)
    ranked = _kept(rules, rankings, kept)
    found = ranked if rules.filters_candidates else rankings
    if standardize and window is None:
        found = work.plain(found)
        ranked = _kept(rules, found, kept)
    searched = time.perf_counter()
    recall = recall_at([results.rows for results in ranked], rules.positives, ks)
    unverified = single = None
    if reranker is not None:
        unverified = recall
        ranked = _kept(rules, work.verified(reranker, found, skipped), kept)
    if window is not None and routes is not None and standards is not None:
        single = recall
        alone = work.search(CANDIDATES, skipped, query_bytes, standards)
        order = np.argsort(routes[0].coordinate)
        known = work.similarities(_kept(rules, alone, CANDIDATES), order, standards)
        ranked = [
            Ranked(rows[:kept], similarities[:kept], probability)
            for rows, similarities, probability in rank_sequences(
                *routes,
                known,
                window,
                lambda query, rows: rules.keep(query, rows) & ~np.isin(rows, truth.own_rows[query]),
            )
        ]
    if reranker is not None or window is not None:
        recall = recall_at([results.rows for results in ranked], rules.positives, ks)
    verified = time.perf_counter()
    opened, borrowed = None, False
    if open_set:
        calibration, borrowed = calibration_for(None if index is None else index.index, model)
        if reranker is None and window is None:
            ranked = [with_similarity_alone(results, calibration, ks[-1]) for results in ranked]
        opened = measure_open_set(ranked, rules.positives, calibration, at_precision)

    candidates, right, chance = rules.candidates(), rules.right(), rules.chance(ks)
    lost_queries = sum(row in skipped for row in work.asked.tolist())
    return EvalReport(
        protocol=rules.name,
        model=model.card.id,
        database=len(truth.database),
        queries=len(truth.queries),
        queries_without_positives=right.count(0),
        recall=recall,
        unverified=unverified,
        single=single,
        chance=chance,
        seconds={
            "embed": embedded - started,
            "search": searched - embedded,
            "verify": verified - searched,
        },
        unreadable=list(skipped.values()),
        warnings=[
            *truth.warnings,
            *rules.warnings,
            *listed_twice(truth),
            *unreadable(len(skipped), lost_queries),
            *chance_level(truth, recall, chance, candidates, right),
            *([borrowed_note(model)] if borrowed else []),
        ],
        published=find_published(model.card.recall, truth.name),
        error_m=error_percentiles(truth, ranked),
        open_set=opened,
        description=rules.description,
        runtime=model.in_short,
        ms_a_photo=1000 * (embedded - started) / max(1, len(work.needed)),
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
        reranker: Reranker | None,
    ) -> None:
        self.truth, self.model, self.reranker = truth, model, reranker
        self.rules = rules
        count = len(truth.database)
        others = dict.fromkeys(
            name for name, own in zip(truth.queries, truth.own_rows, strict=True) if not own.size
        )
        self.names = (*truth.database, *others)
        row_of = {name: row for row, name in enumerate(self.names)}
        self.asked: Rows = np.array([row_of[name] for name in truth.queries], dtype=np.int64)
        self.indexed = index
        self.needed = range(len(self.names))
        if index is not None:
            index.index.check_model(model)
            index.require_all()
            self.needed = range(count, len(self.names))
        self.scratch = Scratch(len(self.needed), model.card.dims)
        self.described = self.local_bytes = 0

    def embed(self, progress: Progress) -> dict[int, Skipped]:
        """Embed what is not in the index; returns what cannot be read, by row."""
        skipped: dict[int, Skipped] = dict(self.indexed.skipped) if self.indexed else {}
        photos = (
            (row, PlacePhoto(self.truth.path(self.names[row]), self.names[row]))
            for row in self.needed
        )
        embedding = embed_photos(photos, self.truth.root, self.model, StageClock())
        for done, (row, result) in enumerate(embedding, 1):
            if isinstance(result, Skipped):
                skipped[row] = result
            else:
                self.scratch.write(row - self.needed.start, result.descriptor)
                self.described += 1
                self.local_bytes += result.codes.nbytes
                if self.reranker is not None:
                    self.reranker.see(self.names[row], result)
            progress("Describing", done, len(self.needed))
        return skipped

    @property
    def bytes_a_photo(self) -> float:
        """What an index keeps: numbers of 8 bits unless the searched one has float32, and codes."""
        kind = self.indexed.index.manifest.descriptor_type if self.indexed else "int8"
        width = np.dtype(kind).itemsize * self.model.card.dims
        return width + self.local_bytes / max(1, self.described)

    def search(
        self,
        kept: int,
        skipped: Mapping[int, Skipped],
        query_bytes: int,
        standards: Standards | None = None,
    ) -> list[Ranked]:
        """The results of each query, from which its protocol keeps as many as `kept`.

        Skipped photos neither ask nor answer.
        """
        rankings: list[Ranked] = []
        for rows in self._blocks(self.asked, query_bytes):
            database = self._database().chunks()
            # Without a name of its own, so that a block is gone before the next one is read.
            rankings += rank(
                self._queries(rows, standards),
                database if standards is None else standards.chunks(database),
                self.rules.depth(kept),
                own=self.truth.own_rows[len(rankings) : len(rankings) + len(rows)],
                lost=self._lost(skipped),
                keep=partial(self._keep, len(rankings)) if self.rules.filters_search else None,
            )
        return [
            NOTHING if row in skipped else results
            for row, results in zip(self.asked.tolist(), rankings, strict=True)
        ]

    def plain(self, rankings: list[Ranked]) -> list[Ranked]:
        """Standardised rankings with the similarities that a search tells: those without it."""
        found = []
        for query, results in zip(self.asked.tolist(), rankings, strict=True):
            [descriptor] = self._queries(np.array([query]))
            found.append(results._replace(similarities=self._queries(results.rows) @ descriptor))
        return found

    def standards(self, skipped: Mapping[int, Skipped], query_bytes: int) -> Standards:
        """What queries and database are standardised by."""
        asked = self.asked[~np.isin(self.asked, list(skipped))]
        return measure_standards(
            self._database().chunks(),
            len(self.truth.database),
            map(self._queries, self._blocks(asked, query_bytes)),
            self._lost(skipped),
            self.model.card.dims,
        )

    def similarities(
        self, ranked: list[Ranked], order: Rows, standards: Standards
    ) -> QuerySimilarities:
        """What sequences are ranked by; queries follow one another in this order."""
        usual = np.zeros((len(order), len(standards.usual)), np.float32)
        like_before = np.zeros(len(order), np.float32)
        before: NDArray[np.float32] | None = None
        for query in order.tolist():
            [descriptor] = self._queries(self.asked[[query]], standards)
            usual[query] = standards.usual @ descriptor
            if before is not None:
                like_before[query] = before @ descriptor
            before = descriptor
        return QuerySimilarities(ranked, usual, like_before)

    def verified(
        self, reranker: Reranker, rankings: list[Ranked], skipped: Mapping[int, Skipped]
    ) -> list[Ranked]:
        """The results of each query in another order; those of skipped photos as they are."""
        return [
            results if row in skipped else _reranked(self.truth, reranker, query, results)
            for query, (row, results) in enumerate(zip(self.asked.tolist(), rankings, strict=True))
        ]

    def _database(self) -> Database:
        return self.indexed or ScratchDatabase(
            self.scratch, len(self.truth.database), self.model.card.dims
        )

    def _lost(self, skipped: Mapping[int, Skipped]) -> Rows:
        count = len(self.truth.database)
        return np.array([row for row in sorted(skipped) if row < count], dtype=np.int64)

    def _keep(self, first: int, query: int, rows: Rows) -> NDArray[np.bool_]:
        return self.rules.keep(first + query, rows)

    def _blocks(self, rows: Rows, query_bytes: int) -> Iterator[Rows]:
        size = min(MAX_BLOCK, max(1, query_bytes // (4 * self.model.card.dims)))
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    def _queries(self, rows: Rows, standards: Standards | None = None) -> NDArray[np.float32]:
        if standards is not None:
            return standards.queries.apply(self._queries(rows))
        known = rows < self.needed.start
        if self.indexed is None or not known.any():
            return self.scratch.take(rows - self.needed.start)
        queries = np.empty((len(rows), self.model.card.dims), dtype=np.float32)
        queries[known] = self.indexed.take(rows[known])
        queries[~known] = self.scratch.take(rows[~known] - self.needed.start)
        return queries


def _reranked(truth: GroundTruth, reranker: Reranker, query: int, results: Ranked) -> Ranked:
    names = [truth.database[row] for row in results.rows.tolist()]
    order, first = reranker.rerank(truth.queries[query], names, results.similarities.tolist())
    return Ranked(results.rows[order], results.similarities[order], first)


def _kept(rules: EvaluationProtocol, rankings: Iterable[Ranked], count: int) -> list[Ranked]:
    """The first results of each query that its protocol keeps.

    Where the first of all does not count, nothing is known of how probable the next one is.
    """
    found = []
    for query, (rows, similarities, probability) in enumerate(rankings):
        chosen = np.flatnonzero(rules.keep(query, rows))[:count]
        told = probability if 0 in chosen[:1] else 0.0
        found.append(Ranked(rows[chosen], similarities[chosen], told))
    return found
