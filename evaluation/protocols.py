"""Evaluation protocols: what counts as right, how deep the search goes, which results are kept.

Every protocol keeps the share of *all* queries: one without positives counts as wrong.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.errors import TruthError
from place_search.evaluation.truth.ground_truth import GroundTruth, Rows


class RawProtocol:
    """The N nearest descriptors, as pytorch-NetVlad measures Pittsburgh: no suppression at all."""

    name = "raw"
    says = "the N nearest photos as they come; a right one is within the radius"

    def __init__(self, truth: GroundTruth) -> None:
        self.truth = truth
        self.positives: Sequence[Rows] = truth.positives

    def depth(self, n: int) -> int:
        """How many results to search for where `n` will be kept."""
        return n

    def keep(self, query: int, ranked: Rows) -> NDArray[np.bool_]:
        """Which of a query's results, best first, count towards its N."""
        return np.ones(len(ranked), dtype=np.bool_)

    def candidates(self) -> list[float]:
        """Of how many a query's results are drawn, for the chance level."""
        size = len(self.truth.database)
        return [float(size - int(own >= 0)) for own in self.truth.own]

    def right(self) -> list[float]:
        """How many of those are right."""
        return [float(len(rows)) for rows in self.positives]


class CsvProtocol(RawProtocol):
    """Positives as a truth file lists them."""

    name = "truth-csv"
    says = "the N nearest photos; right ones are those that the truth file lists"


class LeaveOneOutProtocol(RawProtocol):
    """Each photo of one collection is a query against all others."""

    name = "leave-one-out"
    says = "each photo against all others; a right one is within the radius"

    def __init__(self, truth: GroundTruth) -> None:
        super().__init__(truth)
        if (truth.own < 0).any():
            raise TruthError(
                "The protocol leave-one-out needs one folder or CSV of photos with positions, as "
                "in: place-search eval PHOTOS --protocol leave-one-out."
            )


class Tokyo12Protocol(RawProtocol):
    """Tokyo 24/7: the 12 views of a panorama, successive in the database, count as one result."""

    name = "tokyo-12"
    says = "of the 12·N nearest photos the first of each panorama (12 successive views), then N"
    views = 12

    def depth(self, n: int) -> int:
        """12 views of each panorama may stand before the next."""
        return self.views * n

    def keep(self, query: int, ranked: Rows) -> NDArray[np.bool_]:
        """The first view of each panorama."""
        kept = np.zeros(len(ranked), dtype=np.bool_)
        kept[np.unique(ranked // self.views, return_index=True)[1]] = True
        return kept

    def candidates(self) -> list[float]:
        """Panoramas."""
        panoramas = float(-(-len(self.truth.database) // self.views))
        return [panoramas] * len(self.truth.queries)

    def right(self) -> list[float]:
        """Panoramas, each by the share of its views that are right: all or none, as they are taken
        at one spot."""
        sizes = np.bincount(np.arange(len(self.truth.database)) // self.views)
        return [float((1 / sizes[rows // self.views]).sum()) for rows in self.positives]


class TimestampProtocol(RawProtocol):
    """TokyoTM: a right photo is of another visit, and those of the query's own do not count."""

    name = "timestamp"
    says = "of the 10·N nearest photos those with another timestamp than the query's, then N"
    deeper = 10

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
        return self.deeper * n

    def keep(self, query: int, ranked: Rows) -> NDArray[np.bool_]:
        """Those of other visits."""
        other: NDArray[np.bool_] = self._database[ranked] != self._queries[query]
        return other

    def candidates(self) -> list[float]:
        """Photos of other visits."""
        times, counts = np.unique(self._database, return_counts=True)
        same = dict(zip(times.tolist(), counts.tolist(), strict=True))
        total = len(self._database)
        return [float(total - same.get(time, 0)) for time in self._queries.tolist()]


_KINDS: tuple[type[RawProtocol], ...] = (
    RawProtocol,
    Tokyo12Protocol,
    TimestampProtocol,
    LeaveOneOutProtocol,
    CsvProtocol,
)
PROTOCOLS = {kind.name: kind for kind in _KINDS}


def open_protocol(truth: GroundTruth, name: str | None = None) -> RawProtocol:
    """A protocol by name for a truth; by default the one that its data is measured by.

    Raises:
        TruthError: there is no such protocol, or the truth lacks what it needs.
    """
    wanted = name or truth.protocol
    if wanted not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise TruthError(f"There is no protocol '{wanted}'; choose one of {known}.")
    return PROTOCOLS[wanted](truth)
