"""Local features of photos in one array, where grid neighbours are at a fixed distance."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.models import Codes, Grid, are_empty

UNIT = 32
"""A query's features are counted in units of 1/UNIT."""
MAX_UNITS = 127
"""The largest absolute value of a component, in units."""

_SIGNS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.int8) * 2 - 1
_WORDS = _SIGNS.view(np.int64).ravel()
"""(256,): the signs in each byte, an int8 of ±1 for each bit, as one number."""


class Views(NamedTuple):
    """Photos of one grid (h, w), ready to be matched: (count·(h+1)·(w+1), bits) int8 rows.

    The rows of places are in units of 1/`unit`. A feature of zeros begins each row of the grid, and
    a row of zeros ends each photo, so that no feature has neighbours beyond its grid. A photo's
    black frame is zeros too.
    """

    grid: Grid
    rows: NDArray[np.int8]
    unit: int

    @property
    def bits(self) -> int:
        """The number of components of a feature."""
        return int(self.rows.shape[1])

    @property
    def line(self) -> int:
        """The number of rows from a feature to the feature below it."""
        return self.grid[1] + 1

    @property
    def size(self) -> int:
        """The number of rows from a photo to the next photo."""
        return (self.grid[0] + 1) * self.line

    def has_features(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """A mask of the `rows` with a feature, by the first and last numbers of each."""
        words = self.rows.view(np.int64)
        return np.asarray((words[rows, 0] | words[rows, -1]) != 0)

    @property
    def photos(self) -> int:
        """The number of photos."""
        return len(self.rows) // self.size


def full_view(local_features: NDArray[np.float32]) -> Views:
    """A query's projected features, (h, w, bits) float32 of norm 1, with norm √bits."""
    return _padded(in_units(local_features[None] * local_features.shape[-1] ** 0.5), UNIT)


def coarse_view(local_features: NDArray[np.float32]) -> Views:
    """A query's projected features at half the resolution, again with norm √bits."""
    sums = _sums(local_features[None])
    norms = np.sqrt(np.einsum("nhwb,nhwb->nhw", sums, sums)[..., None] / sums.shape[-1])
    np.divide(sums, norms, out=sums, where=norms > 0)
    return _padded(in_units(sums), UNIT)


def full_place(place: Codes) -> Views:
    """A place of an index; products with its signs are cosines times its bits.

    A code of zeros stands for no feature.
    """
    codes, grid = place
    return _padded(_signs(codes, (1, *grid)), 1)


def coarse_places(places: list[NDArray[np.uint8]], grid: Grid) -> Views:
    """Places of one grid at half its resolution, one after the other: means of 2 × 2 signs.

    A mean of four signs that disagree is near 0, so that it counts for less.
    """
    return _padded(_sums(_signs(np.stack(places), (len(places), *grid))), 4)


def in_units(features: NDArray[np.float32]) -> NDArray[np.int8]:
    """Features in whole units of 1/UNIT, from -MAX_UNITS to MAX_UNITS."""
    units: NDArray[np.float32] = np.rint(features * np.float32(UNIT))
    np.clip(units, -MAX_UNITS, MAX_UNITS, out=units)
    return units.astype(np.int8)


def _signs(codes: NDArray[np.uint8], shape: tuple[int, int, int]) -> NDArray[np.int8]:
    signs: NDArray[np.int8] = _WORDS[codes].view(np.int8)
    empty = are_empty(codes)
    if empty.any():
        signs[empty] = 0
    return signs.reshape(*shape, -1)


def _padded(features: NDArray[np.int8], unit: int) -> Views:
    """The views of (n, h, w, bits) features, with the zeros of `Views` between them."""
    count, height, width, bits = features.shape
    rows = np.zeros((count, height + 1, width + 1, bits), np.int8)
    rows[:, :height, 1:] = features
    return Views((height, width), rows.reshape(-1, bits), unit)


def _sums(features: NDArray[Any]) -> NDArray[Any]:
    """Sums of 2 × 2 features, (n, h, w, B) to (n, ⌈h/2⌉, ⌈w/2⌉, B)."""
    _, height, width, _ = features.shape
    rows = features[:, ::2].copy()
    rows[:, : height // 2] += features[:, 1::2]
    sums = rows[:, :, ::2].copy()
    sums[:, :, : width // 2] += rows[:, :, 1::2]
    return sums
