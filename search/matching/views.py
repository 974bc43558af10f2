"""Local features of photos, laid out so that neighbours on the grid are found by their distance."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.models import CODE_BITS
from place_search.models.runtimes.products import Packed, feature_products, in_units

Grid = tuple[int, int]
Codes = tuple[NDArray[np.uint8], Grid]
"""(h·w, CODE_BYTES) codes with their grid (h, w), as `Index.codes` gives them."""

_SIGNS = (np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) * 2).astype(np.int8) - 1
"""(256, 8) int8: the signs in each byte."""


class Views(NamedTuple):
    """Photos of one grid (h, w), ready to be matched: (count·(h+1)·(w+1), CODE_BITS) packed rows.

    They have norm √CODE_BITS, those of a query in units of 1/32, so that products are too. A
    feature of zeros begins each row of the grid, and a row of zeros ends each photo, so that
    nothing has neighbours beyond its grid.
    """

    grid: Grid
    rows: Packed

    @property
    def line(self) -> int:
        """From a feature to the one below it."""
        return self.grid[1] + 1

    @property
    def size(self) -> int:
        """From a photo to the next one."""
        return (self.grid[0] + 1) * self.line


def full_view(local_features: NDArray[np.float32]) -> Views:
    """One photo's projected features, (h, w, CODE_BITS) float32 of norm 1."""
    units = in_units(local_features * CODE_BITS**0.5)
    return _laid_out(feature_products().pack(units)[None])


def coarse_view(local_features: NDArray[np.float32]) -> Views:
    """The same at half the resolution, again of norm √CODE_BITS."""
    sums = _sums(local_features[None])
    norms = np.sqrt(np.einsum("nhwb,nhwb->nhw", sums, sums)[..., None] / CODE_BITS)
    np.divide(sums, norms, out=sums, where=norms > 0)
    return _laid_out(feature_products().pack(in_units(sums)))


def full_place(place: Codes) -> Views:
    """A place of an index; products with its signs are cosines times CODE_BITS."""
    codes, grid = place
    return _laid_out(feature_products().pack_codes(codes).reshape(1, *grid, CODE_BITS))


def coarse_places(places: list[NDArray[np.uint8]], grid: Grid) -> Views:
    """Places of one grid at half its resolution, one after the other: means of 2 × 2 signs.

    Where the four disagree they count for less.
    """
    signs = _SIGNS[np.stack(places)].reshape(len(places), *grid, CODE_BITS)
    return _laid_out(feature_products().pack(_sums(signs) * np.float32(0.25)))


def _laid_out(packed: Packed) -> Views:
    """(n, h, w, CODE_BITS) with the zeros that belong between them."""
    count, height, width, bits = packed.shape
    rows = np.zeros((count, height + 1, width + 1, bits), packed.dtype)
    rows[:, :height, 1:] = packed
    return Views((height, width), rows.reshape(-1, bits))


def _sums(features: NDArray[Any]) -> NDArray[Any]:
    """Sums of 2 × 2 features, (n, h, w, B) to (n, ⌈h/2⌉, ⌈w/2⌉, B)."""
    _, height, width, _ = features.shape
    rows = features[:, ::2].copy()
    rows[:, : height // 2] += features[:, 1::2]
    sums = rows[:, :, ::2].copy()
    sums[:, :, : width // 2] += rows[:, :, 1::2]
    return sums
