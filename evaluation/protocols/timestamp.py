"""TokyoTM: a right photo is of another visit than the query; photos of its visit do not count."""

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.errors import TruthError
from place_search.evaluation.protocol import EvaluationProtocol
from place_search.evaluation.truth.ground_truth import GroundTruth, Rows

DEPTH = 10
"""Results to search for, per result that is kept."""
LARGEST_N = 100
"""The largest N of the published evaluation, which searches as deep for every smaller N."""


class TimestampProtocol(EvaluationProtocol):
    """Needs the times at which photos were taken."""

    name = "timestamp"
    description = (
        f"of the {DEPTH * LARGEST_N} nearest photos, or {DEPTH} times the largest N if more, those "
        "with another timestamp than the query's, then N"
    )
    filters_candidates = True

    def __init__(self, truth: GroundTruth) -> None:
        super().__init__(truth)
        if truth.database_times is None or truth.query_times is None:
            raise TruthError(
                f"The protocol timestamp needs a split with timestamps, and {truth.name} has none; "
                "use raw."
            )
        self._database, self._queries = truth.database_times, truth.query_times
        self.positives = [
            rows[self._database[rows] != time]
            for rows, time in zip(truth.positives, self._queries, strict=True)
        ]

    def depth(self, n: int) -> int:
        """Photos of the query's own visit may stand before the others."""
        return DEPTH * max(n, LARGEST_N)

    def keep(self, query: int, ranked: Rows) -> NDArray[np.bool_]:
        """The photos of other visits."""
        is_other_visit: NDArray[np.bool_] = self._database[ranked] != self._queries[query]
        return is_other_visit

    def candidates(self) -> list[float]:
        """The numbers of photos of other visits."""
        times, counts = np.unique(self._database, return_counts=True)
        same_visit = dict(zip(times.tolist(), counts.tolist(), strict=True))
        total = len(self._database)
        return [float(total - same_visit.get(time, 0)) for time in self._queries.tolist()]


PROTOCOL = TimestampProtocol
