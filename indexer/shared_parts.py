"""What many photos of an index show in one spot: the bonnet of a car, the frame of an app.

Geometry agrees on it between any two of them, so it is no evidence of a place and is left out.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.rows import spread_rows
from place_search.models import Codes, Grid, are_empty, decode_codes

LOOKED_AT = 64
"""Photos of an index that are looked at, evenly spread: most of them show different places."""
LEAST_PHOTOS = 16
"""Photos of one grid that it takes to say what they share."""
BLOCK = 4
"""Cells a side of the blocks by which two photos are compared: single cells are alike by chance."""
ALIKE = 0.25
"""Photos show the same in a cell or a block where the mean cosine of their codes there is at least
this. Of bonnets with what they mirror it is 0.3 to 0.4; of streets, buildings and floors below 0.2,
but for the sky in some."""
LEAST_SHARE, MOST_SHARE = 0.12, 0.75
"""The shares of a picture between which a part counts. A smaller one makes no photo found, and
beside a larger one too little is left."""
REST = 0.1
"""Photos look alike all over, as those of a corridor, of one building or of a camera that stands
still, where the mean cosine of all other cells is at least this. Where they show many places it is
0.02 to 0.09."""
SHOWN = 0.35
"""A photo shows a part where its mean cosine with it is at least this: it is 0.5 of those that do,
and 0.2 of others."""


class SharedPart(NamedTuple):
    """The `cells` of a grid, (n,) bool, in which many photos show the same, and its code there."""

    cells: NDArray[np.bool_]
    codes: NDArray[np.uint8]

    def is_in(self, codes: NDArray[np.uint8]) -> bool:
        """Whether a photo of these (n, bytes) codes shows the part."""
        differing = np.bitwise_count(codes[self.cells] ^ self.codes).mean() / 8
        return bool(1 - 2 * differing >= SHOWN)


class SharedParts:
    """The parts that many photos of an index share, of each grid."""

    def __init__(self, count: int, codes: Callable[[int], Codes]) -> None:
        """Look at some of `count` photos, whose `codes` are given by their number."""
        seen: dict[Grid, list[NDArray[np.uint8]]] = {}
        for number in spread_rows(count, LOOKED_AT).tolist():
            cells, grid = codes(number)
            if min(grid) >= BLOCK:
                seen.setdefault(grid, []).append(cells)
        self.by_grid = {
            grid: parts
            for grid, photos in seen.items()
            if (parts := list(_parts(np.stack(photos), grid)))
        }

    @property
    def share(self) -> float:
        """The largest share of a picture, 0 to 1, that is left out of one."""
        parts = (part for parts in self.by_grid.values() for part in parts)
        return max((float(part.cells.mean()) for part in parts), default=0.0)

    def left_out(self, photo: Codes) -> Codes:
        """A photo's codes without the parts that it shares: zeros, as in a black frame."""
        codes, grid = photo
        shared = [part.cells for part in self.by_grid.get(grid, ()) if part.is_in(codes)]
        return (codes * ~np.any(shared, axis=0)[:, None], grid) if shared else photo


def _parts(codes: NDArray[np.uint8], grid: Grid) -> Iterator[SharedPart]:
    """What photos of one grid share, by their codes, (photos, cells, bytes).

    Those that share blocks with one photo, the most of them first, are taken as showing one part.
    """
    share_some = (_block_cosines(codes, grid) >= ALIKE).mean(axis=0) >= LEAST_SHARE
    while len(share_some) >= LEAST_PHOTOS:
        sharing = share_some[share_some.sum(axis=1).argmax()]
        if np.count_nonzero(sharing) < LEAST_PHOTOS:
            return
        sums, cosines = _mean_cosines(codes[sharing])
        cells = cosines >= ALIKE
        if LEAST_SHARE <= cells.mean() <= MOST_SHARE and cosines[~cells].mean() < REST:
            yield SharedPart(cells, np.packbits(sums[cells] > 0, axis=1))
        codes, share_some = codes[~sharing], share_some[~sharing][:, ~sharing]


def _block_cosines(codes: NDArray[np.uint8], grid: Grid) -> NDArray[np.float32]:
    """The mean cosine of each two photos in each block, (blocks, photos, photos).

    Every other cell of every other row stands for them all: neighbours are much alike.
    """
    photos, _, width = codes.shape
    down, right = grid[0] // BLOCK, grid[1] // BLOCK
    some = codes.reshape(photos, *grid, width)[:, : down * BLOCK : 2, : right * BLOCK : 2]
    side = BLOCK // 2
    blocks = some.reshape(photos, down, side, right, side, width).transpose(1, 3, 0, 2, 4, 5)
    rows = decode_codes(blocks.reshape(-1, width)).reshape(down * right, photos, -1)
    cosines: NDArray[np.float32] = rows @ rows.transpose(0, 2, 1) / np.float32(rows.shape[2])
    return cosines


def _mean_cosines(codes: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The sums of photos' signs, (cells, bits), and the mean cosine of two in each cell, (cells,).

    The squared norm of a sum is the sum of all products, of each photo with itself too. A cell in
    the black frame of a photo has no sign there, and is alike to none.
    """
    sums = np.zeros((codes.shape[1], codes.shape[2] * 8), np.float32)
    for photo in codes:
        sums += decode_codes(photo)
    themselves = np.count_nonzero(~are_empty(codes), axis=0)
    pairs = np.float32(len(codes) * (len(codes) - 1))
    return sums, (np.square(sums).mean(axis=1) - themselves.astype(np.float32)) / pairs
