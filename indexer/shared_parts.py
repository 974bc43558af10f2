"""Parts of the picture that many photos of an index share: a car's bonnet, the frame of an app.

These photos agree in geometry there, which is no evidence of a place: the parts are left out.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.rows import spread_rows
from place_search.models import Codes, Grid, are_empty, decode_codes

SAMPLED_PHOTOS = 64
"""Photos of an index that are compared, evenly spread: most of them show different places."""
LEAST_PHOTOS = 16
"""The least number of photos of one grid that share a part."""
BLOCK = 4
"""Cells along a side of a block. Photos are compared by blocks: cells may be alike by chance."""
ALIKE = 0.25
"""The mean cosine of codes from which two photos show the same in a cell or a block. Bonnets, with
their reflections, have 0.3 to 0.4; streets, buildings and floors have less than 0.2, but for some
skies."""
LEAST_SHARE, MOST_SHARE = 0.12, 0.75
"""The least and the greatest share of a picture that a part covers. A smaller part lets no wrong
photo be found, and a larger part leaves too little of the picture."""
REST = 0.1
"""The mean cosine of all other cells from which photos are alike all over, as those of a corridor,
of one building or of a camera that stands still. Photos of many places have 0.02 to 0.09."""
SHOWN = 0.35
"""The mean cosine with a part from which a photo shows the part: photos that show it have 0.5,
others 0.2."""


class SharedPart(NamedTuple):
    """The `cells` of a grid, (n,) bool, in which many photos show the same, and their codes."""

    cells: NDArray[np.bool_]
    codes: NDArray[np.uint8]

    def is_in(self, codes: NDArray[np.uint8]) -> bool:
        """Whether a photo of these (n, bytes) codes shows the part."""
        differing = np.bitwise_count(codes[self.cells] ^ self.codes).mean() / 8
        return bool(1 - 2 * differing >= SHOWN)


class SharedParts:
    """The parts that many photos of an index share, of each grid."""

    def __init__(self, count: int, codes: Callable[[int], Codes]) -> None:
        """Find the parts in a sample of `count` photos; `codes` gives a photo's codes by number."""
        codes_by_grid: dict[Grid, list[NDArray[np.uint8]]] = {}
        for number in spread_rows(count, SAMPLED_PHOTOS).tolist():
            cells, grid = codes(number)
            if min(grid) >= BLOCK:
                codes_by_grid.setdefault(grid, []).append(cells)
        self.by_grid = {
            grid: parts
            for grid, photos in codes_by_grid.items()
            if (parts := list(_parts(np.stack(photos), grid)))
        }

    @property
    def share(self) -> float:
        """The largest share of a picture, 0 to 1, that a part covers."""
        parts = (part for parts in self.by_grid.values() for part in parts)
        return max((float(part.cells.mean()) for part in parts), default=0.0)

    def left_out(self, photo: Codes) -> Codes:
        """A photo's codes with zeros in the parts that it shares, as in a black frame."""
        codes, grid = photo
        shared = [part.cells for part in self.by_grid.get(grid, ()) if part.is_in(codes)]
        return (codes * ~np.any(shared, axis=0)[:, None], grid) if shared else photo


def _parts(codes: NDArray[np.uint8], grid: Grid) -> Iterator[SharedPart]:
    """The shared parts of photos of one grid, by their codes, (photos, cells, bytes).

    The photo that shares blocks with the most others comes first: it and these show one part.
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
    """The mean cosine of each pair of photos in each block, (blocks, photos, photos).

    Every other cell of every other row is used: neighbours are much alike.
    """
    photos, _, width = codes.shape
    down, right = grid[0] // BLOCK, grid[1] // BLOCK
    sampled = codes.reshape(photos, *grid, width)[:, : down * BLOCK : 2, : right * BLOCK : 2]
    side = BLOCK // 2
    blocks = sampled.reshape(photos, down, side, right, side, width).transpose(1, 3, 0, 2, 4, 5)
    rows = decode_codes(blocks.reshape(-1, width)).reshape(down * right, photos, -1)
    cosines: NDArray[np.float32] = rows @ rows.transpose(0, 2, 1) / np.float32(rows.shape[2])
    return cosines


def _mean_cosines(codes: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The sums of photos' signs, (cells, bits), and the mean cosine of pairs of photos, (cells,).

    The squared norm of a sum is the sum of all products, those of a photo with itself included. A
    cell in the black frame of a photo has no signs, and cosine 0 with others.
    """
    sums = np.zeros((codes.shape[1], codes.shape[2] * 8), np.float32)
    for photo in codes:
        sums += decode_codes(photo)
    self_products = np.count_nonzero(~are_empty(codes), axis=0)
    pairs = np.float32(len(codes) * (len(codes) - 1))
    return sums, (np.square(sums).mean(axis=1) - self_products.astype(np.float32)) / pairs
