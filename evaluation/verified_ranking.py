"""Spatial verification in an evaluation, as in a search."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from place_search.evaluation.descriptors import IndexDatabase
from place_search.indexer import Row
from place_search.indexer.shared_parts import SharedParts
from place_search.models import Codes, Model
from place_search.search.index_calibration import calibration_for
from place_search.search.probability import (
    UNSURE_FROM,
    candidate_probabilities,
    probability_first,
    sort_key,
)
from place_search.search.several.agreeing import MatchedPlace, share_a_part
from place_search.search.verification import (
    CANDIDATES,
    Candidates,
    Query,
    Ranking,
    rank_by_geometry,
)


class GeometryReranker:
    """Ranks each query's first `candidates` results by how well their geometry agrees with its own.

    At least `k` results are matched at full resolution. Codes are read from an index of the
    database, if given; those of embedded photos are kept in memory, at most 22 kB each.
    """

    def __init__(
        self,
        model: Model,
        root: Path,
        *,
        k: int = 10,
        index: IndexDatabase | None = None,
        candidates: int = CANDIDATES,
    ) -> None:
        self.depth = candidates
        self.calibration = calibration_for(
            None if index is None else index.index, model
        ).calibration
        self._k = k
        self._index = index
        self._model = model
        self._root = root
        self._codes: dict[str, Codes] = {}

    def see(self, name: str, photo: Row) -> None:
        """Keep a photo's codes."""
        self._codes[name] = photo.codes, photo.grid

    def rerank(
        self, query: str, names: Sequence[str], similarities: Sequence[float]
    ) -> tuple[list[int], float]:
        """The new order, with results beyond the candidates last, and the first one's probability.

        The probability is 0 where no result was matched.
        """
        photo = self._model.read(self._root / query)
        embedding = self._model.embed(photo)
        prepared = Query.of(embedding)
        depth = min(self.depth, len(names))
        candidates = Candidates(similarities[:depth], lambda row: self.codes(names[row]))
        ranking = rank_by_geometry(prepared, candidates, self._k)
        probabilities = self._probabilities(candidates, ranking)
        order = sorted(
            ranking.order,
            key=lambda row: sort_key(ranking.verifications.get(row), probabilities.get(row)),
        )
        order += range(len(order), len(names))
        return order, self._first_probability(candidates, ranking, order, probabilities)

    def _probabilities(self, candidates: Candidates, ranking: Ranking) -> dict[int, float]:
        """The probability of each result that was matched in full."""
        verified = [row for row in ranking.order if row in ranking.verifications]
        probabilities = candidate_probabilities(
            self.calibration,
            [candidates.similarities[row] for row in verified],
            [ranking.verifications[row] for row in verified],
            candidates.similarities,
        )
        return dict(zip(verified, probabilities, strict=True))

    def _first_probability(
        self,
        candidates: Candidates,
        ranking: Ranking,
        order: Sequence[int],
        probabilities: Mapping[int, float],
    ) -> float:
        """The probability of the first result beside the other found results, as in a search."""
        threshold = self.calibration.threshold
        first = probability_first([probabilities.get(row, 0.0) for row in order])
        matches = (
            MatchedPlace(candidates.codes(row), ranking.verifications[row])
            for row in order
            if probabilities.get(row, 0.0) >= threshold
        )
        return UNSURE_FROM if first >= threshold and share_a_part(matches) else first

    def codes(self, name: str) -> Codes:
        """The codes of a database photo."""
        indexed = None if self._index is None else self._index.codes(name)
        return self._shared_parts.left_out(self._codes[name]) if indexed is None else indexed

    @cached_property
    def _shared_parts(self) -> SharedParts:
        """The parts of the picture that many of the embedded photos share."""
        photos = list(self._codes.values())
        return SharedParts(len(photos), photos.__getitem__)
