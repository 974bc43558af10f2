"""Tokyo 24/7: the 12 views of a panorama, successive in the database, count as one result."""

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.protocol import EvaluationProtocol
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
        """Panoramas, each by the share of its views that are right.

        Usually that is all or none, as they are taken at one spot.
        """
        sizes = np.bincount(np.arange(len(self.truth.database)) // VIEWS)
        return [float((1 / sizes[rows // VIEWS]).sum()) for rows in self.positives]


PROTOCOL = Tokyo12Protocol
