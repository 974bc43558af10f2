"""What most photos of an index show in one spot: the bonnet of a car, the frame of an app.

Geometry agrees on it between any two of them, so it is no evidence of a place and is left out.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from place_search.core.rows import spread_rows
from place_search.models import Codes, Grid, are_empty, decode_codes

LOOKED_AT = 64
"""Photos of an index that are looked at, evenly spread: the most of them show other places."""
LEAST_PHOTOS = 16
"""Photos of one grid that it takes to say what they share."""
ALIKE = 0.25
"""The mean cosine of a cell's codes between two photos, from which on they show the same there. Of
bonnets with what they mirror it is 0.3 to 0.4; of streets, buildings and floors below 0.2, but for
the sky in some."""
LEAST_SHARE, MOST_SHARE = 0.1, 0.5
"""The shares of a picture between which a part counts. A smaller one makes no photo found, and
photos that share more show one place."""


class SharedParts:
    """The cells, of each grid of an index's photos, that most of them show the same in."""

    def __init__(self, count: int, codes: Callable[[int], Codes]) -> None:
        """Look at some of `count` photos, whose `codes` are given by their number."""
        sums: dict[Grid, NDArray[np.float32]] = {}
        counts: dict[Grid, NDArray[np.int64]] = {}
        for number in spread_rows(count, LOOKED_AT).tolist():
            cells, grid = codes(number)
            if not all(grid):
                continue
            sums[grid] = sums.get(grid, np.float32(0)) + decode_codes(cells)
            counts[grid] = counts.get(grid, 0) + ~are_empty(cells)
        self._kept = {
            grid: ~shared[:, None]
            for grid in sums
            if LEAST_SHARE <= (shared := _alike(sums[grid], counts[grid])).mean() <= MOST_SHARE
        }

    @property
    def share(self) -> float:
        """The share of a picture, 0 to 1, that is left out: of the grid where it is largest."""
        return max((1 - float(kept.mean()) for kept in self._kept.values()), default=0.0)

    def left_out(self, photo: Codes) -> Codes:
        """A photo's codes without the shared part: zeros, as in a black frame."""
        codes, grid = photo
        kept = self._kept.get(grid)
        return photo if kept is None else (codes * kept, grid)


def _alike(sums: NDArray[np.float32], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which cells are alike, (n,), by the sums (n, bits) of their signs over `counts` photos each.

    The squared norm of a sum is the sum of all products, of each photo with itself too.
    """
    pairs = np.maximum(counts * (counts - 1), 1)
    products = np.square(sums).sum(axis=1) / sums.shape[1] - counts
    return np.asarray((products >= ALIKE * pairs) & (counts >= LEAST_PHOTOS))
