"""Tokyo 24/7: the 12 views of a panorama, successive in the database, count as one result."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.protocol import EvaluationProtocol
from place_search.evaluation.recall import chance_of_shares
from place_search.evaluation.truth.ground_truth import GroundTruth, Rows

VIEWS = 12
ONE_SPOT_M = 1.0
"""The largest distance in metres between positions of one panorama's views, which are equal."""


class Tokyo12Protocol(EvaluationProtocol):
    """Ranks panoramas, each by its best view."""

    name = "tokyo-12"
    description = (
        "of the 12·N nearest photos the first of each panorama (12 successive views), then N"
    )
    needs_all_photos = True

    def __init__(self, truth: GroundTruth) -> None:
        super().__init__(truth)
        panoramas = np.arange(len(truth.database)) // VIEWS
        broken = np.bincount(panoramas) < VIEWS
        if truth.database_metres is not None:
            offsets = truth.database_metres - truth.database_metres[panoramas * VIEWS]
            broken[panoramas[np.linalg.norm(offsets, axis=1) > ONE_SPOT_M]] = True
        if broken.any():
            first = truth.database[int(np.argmax(broken)) * VIEWS]
            self.warnings = [
                f"{int(broken.sum())} of the {len(broken)} groups of {VIEWS} successive database "
                f"photos are no {VIEWS} views from one spot, the first begins with '{first}'; "
                f"{self.name} keeps only the first result of each group, so list the views of each "
                "panorama together, or use --protocol raw."
            ]

    def depth(self, n: int) -> int:
        """12 views of each panorama may stand before the next."""
        return VIEWS * n

    def keep(self, query: int, ranked: Rows) -> NDArray[np.bool_]:
        """The first view of each panorama."""
        is_first = np.zeros(len(ranked), dtype=np.bool_)
        is_first[np.unique(ranked // VIEWS, return_index=True)[1]] = True
        return is_first

    def candidates(self) -> list[float]:
        """The number of panoramas."""
        panoramas = float(-(-len(self.truth.database) // VIEWS))
        return [panoramas] * len(self.truth.queries)

    def right(self) -> list[float]:
        """For each query the sum, over panoramas, of the share of their views that are right."""
        return [sum(shares) for shares in self._shares()]

    def chance(self, ns: Iterable[int]) -> dict[int, float]:
        """The chance level where each panorama is right with the share of its right views."""
        candidates, queries = int(self.candidates()[0]), Counter(self._shares())
        return {
            n: 100.0
            * sum(
                count * chance_of_shares(candidates, shares, n) for shares, count in queries.items()
            )
            / queries.total()
            for n in ns
        }

    def _shares(self) -> list[tuple[float, ...]]:
        """The shares of right views, ascending, of each query's panoramas that have any."""
        sizes = np.bincount(np.arange(len(self.truth.database)) // VIEWS)
        return [
            tuple(np.sort(counts / sizes[panoramas]).tolist())
            for panoramas, counts in (
                np.unique(rows // VIEWS, return_counts=True) for rows in self.positives
            )
        ]


PROTOCOL = Tokyo12Protocol
