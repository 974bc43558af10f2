"""Tokyo 24/7: the 12 views of a panorama, successive in the database, count as one result."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.protocol import EvaluationProtocol
from place_search.evaluation.recall import chance_of_shares
from place_search.evaluation.truth.ground_truth import Rows

VIEWS = 12


class Tokyo12Protocol(EvaluationProtocol):
    """Ranks panoramas, each by its best view."""

    name = "tokyo-12"
    description = (
        "of the 12·N nearest photos the first of each panorama (12 successive views), then N"
    )
    needs_all_photos = True

    def depth(self, n: int) -> int:
        """12 views of each panorama may stand before the next."""
        return VIEWS * n

    def keep(self, query: int, ranked: Rows) -> NDArray[np.bool_]:
        """The first view of each panorama."""
        kept = np.zeros(len(ranked), dtype=np.bool_)
        kept[np.unique(ranked // VIEWS, return_index=True)[1]] = True
        return kept

    def candidates(self) -> list[float]:
        """The number of panoramas."""
        panoramas = float(-(-len(self.truth.database) // VIEWS))
        return [panoramas] * len(self.truth.queries)

    def right(self) -> list[float]:
        """Panoramas, each by the share of its views that are right."""
        return [sum(shares) for shares in self._shares()]

    def chance(self, ns: Iterable[int]) -> dict[int, float]:
        """That of panoramas whose first view is right as often as its views are."""
        candidates, queries = int(self.candidates()[0]), Counter(self._shares())
        return {
            n: 100.0
            * sum(
                many * chance_of_shares(candidates, shares, n) for shares, many in queries.items()
            )
            / queries.total()
            for n in ns
        }

    def _shares(self) -> list[tuple[float, ...]]:
        """Of each query's panoramas with right views, ascending, how large a share these are."""
        sizes = np.bincount(np.arange(len(self.truth.database)) // VIEWS)
        return [
            tuple(np.sort(counts / sizes[panoramas]).tolist())
            for panoramas, counts in (
                np.unique(rows // VIEWS, return_counts=True) for rows in self.positives
            )
        ]


PROTOCOL = Tokyo12Protocol
