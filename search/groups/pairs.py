"""Do two places of an index show the same spot? Descriptors and local features decide."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import geocentric
from place_search.indexer import Index
from place_search.models import Calibration
from place_search.search.probability import candidate_probabilities, pair_probability
from place_search.search.several.agreeing import MatchedPlace, share_a_part
from place_search.search.verification import Query, verify

NEIGHBOURS = 10
"""The number of most similar places that a new place is compared with."""
LOOKS_ALIKE = 0.3
"""The probability that similarity alone must give a pair. Cameras whose pictures all have the same
black border agree in their geometry wherever they are."""


class Pair(NamedTuple):
    """Two places, the lower id first, and whether they show the same spot."""

    first: int
    second: int
    same: bool


class PairJudge:
    """Compares places of one index. Thread-safe.

    Two places are the same spot where the pair's probability reaches the calibration's threshold.
    Without local features that is the probability of the similarity alone.
    """

    def __init__(self, index: Index, calibration: Calibration, spread_m: float) -> None:
        """Places more than `spread_m` metres apart are never the same spot."""
        self.index = index
        self.calibration = calibration
        self.spread_m = spread_m
        self._verifies = index.has_local_features
        self._metres: NDArray[np.float64] = geocentric(index.positions)
        self._codes = lru_cache(maxsize=1024)(index.codes)
        self._descriptor = lru_cache(maxsize=4096)(self._read_descriptor)
        # A new place is compared with its neighbours, and again when groups are joined: 90 kB each.
        self._query = lru_cache(maxsize=1024)(self._make_query)

    def _make_query(self, place_id: int) -> Query:
        return Query.of_codes(self._codes(place_id))

    def _read_descriptor(self, place_id: int) -> NDArray[np.float32]:
        row = np.array([self.index.row_of(place_id)])
        descriptor: NDArray[np.float32] = self.index.descriptors().take(row)[0]
        return descriptor

    def metres(self, place_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Geocentric metres of places, (n, 3) float64, NaN where there is no position."""
        return self._metres[np.searchsorted(self.index.place_ids, place_ids)]

    def neighbours(self, place_id: int) -> list[int]:
        """The places that may show the same spot as this one, the most similar first.

        Of each group only the first place is included: groups are compared as a whole later.
        """
        hits = self.index.search(self._descriptor(place_id), NEIGHBOURS + 1)
        others = np.array([hit.place_id for hit in hits if hit.place_id != place_id], np.int64)
        first: list[int] = others[self.index.groups.first_of_spots(others)].tolist()
        return first

    def compare(self, place_id: int, others: Iterable[int]) -> list[Pair]:
        """Compare a place with others.

        All pairs differ where the places only share a part of the photo, as the bonnet of a car.
        """
        pairs: list[Pair] = []
        agreeing: list[MatchedPlace] = []
        for other in others:
            similarity = float(self._descriptor(place_id) @ self._descriptor(other))
            same = self._may_be(place_id, other, similarity)
            if same and self._verifies:
                matched = self._match(place_id, other, similarity)
                probability = pair_probability(self.calibration, similarity, matched.verification)
                same = probability >= self.calibration.threshold
                agreeing += [matched] if same else []
            pairs.append(Pair(min(place_id, other), max(place_id, other), same))
        if share_a_part(agreeing):
            return [pair._replace(same=False) for pair in pairs]
        return pairs

    def compare_all(self, pairs: Sequence[tuple[int, int]]) -> list[Pair]:
        """Compare several pairs, at once where the processor can."""
        return [compared for [compared] in _pool().map(self._compare_pair, pairs)]

    def _compare_pair(self, pair: tuple[int, int]) -> list[Pair]:
        # The newer place is compared with several, so it is the cached query.
        return self.compare(pair[1], [pair[0]])

    def _may_be(self, place_id: int, other: int, similarity: float) -> bool:
        first, second = self.metres(np.array([place_id, other], np.int64))
        if np.linalg.norm(first - second) > self.spread_m:  # not where one is NaN
            return False
        [probability] = candidate_probabilities(self.calibration, [similarity], [None], [])
        return probability >= (LOOKS_ALIKE if self._verifies else self.calibration.threshold)

    def _match(self, place_id: int, other: int, similarity: float) -> MatchedPlace:
        codes = self._codes(other)
        return MatchedPlace(codes, verify(self._query(place_id), codes, similarity))


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="group")
