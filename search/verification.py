"""Spatial verification: do two photos show the same things in the same arrangement?

Cells of the two photos are matched as mutual nearest neighbours, where each pair of cells is also
judged by its neighbours on the grid (neighbourhood consensus; Rocco et al. 2018, as a fixed 3 × 3
sum). An affine map is fitted to the matches by OpenCV's MAGSAC++ (Barath et al. 2020), and what
agrees with it counts.
"""

import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from netvlad import CODE_BITS, decode_codes, project_cells
from netvlad.products import cell_products

CANDIDATES = 100
"""Places that are verified, however few are asked for."""
TOLERANCE = 1.5
"""Cells that a match may lie off the fitted map."""
MIN_MATCHES = 8
SCALE_SPREAD = 0.4
"""How quickly the score falls with |ln scale|: photos from the same spot match at scale 1."""

Grid = tuple[int, int]
Codes = tuple[NDArray[np.uint8], Grid]
"""(h·w, CODE_BYTES) codes with their grid (h, w), as `Index.cells` gives them."""


class Verification(NamedTuple):
    """What the geometry of two photos says.

    `inliers` matches agree with one affine map; `score` is what candidates are ranked by, higher
    for more and better agreement, 0 for none. `matches` is (inliers, 4) float32: x, y in the
    query's grid, x, y in the place's, in cells with (0, 0) the centre of the first one.
    """

    inliers: int
    score: float
    matches: NDArray[np.float32]


NOTHING = Verification(0, 0.0, np.empty((0, 4), np.float32))


class Query:
    """A query photo's cells, made ready to be matched with many places."""

    def __init__(self, cells: NDArray[np.float32]) -> None:
        """`cells` is (h, w, C) float32, centred."""
        self.grid: Grid = (cells.shape[0], cells.shape[1])
        # Cells of norm √bits against signs: products are cosines times the number of bits.
        self.rows = _with_gap(project_cells(cells) * CODE_BITS**0.5)


def verify(query: Query, place: Codes, similarity: float = 1.0) -> Verification:
    """Match a query with one place; `similarity` of their descriptors enters the score."""
    codes, grid = place
    matches, weights = _mutual_matches(query, codes, grid)
    if len(matches) < MIN_MATCHES:
        return NOTHING
    affine, inside = cv2.estimateAffine2D(
        np.ascontiguousarray(matches[:, :2]),
        np.ascontiguousarray(matches[:, 2:]),
        method=cv2.USAC_MAGSAC,
        ransacReprojThreshold=TOLERANCE,
        maxIters=1000,
        confidence=0.999,
    )
    if affine is None or not np.isfinite(affine).all():
        return NOTHING
    inliers = inside[:, 0].astype(bool)
    agreeing = matches[inliers]
    heights = agreeing[:, (1, 3)].std(axis=0)
    if len(agreeing) < MIN_MATCHES or not heights.all():
        return NOTHING
    # The vertical scale: a step to the side foreshortens what is seen in width, not in height.
    scale = float(heights[1] / heights[0])
    likeness = max(similarity, 0.0) * math.exp(-abs(math.log(scale)) / SCALE_SPREAD)
    return Verification(len(agreeing), float(weights[inliers].sum()) * likeness, agreeing)


def verify_all(
    query: Query,
    candidates: Sequence[tuple[Callable[[], Codes], float]],
    *,
    budget_s: float | None = None,
) -> list[Verification | None]:
    """Match a query with candidates, each a reader of its codes and its similarity, in parallel.

    Candidates whose turn does not come within `budget_s` seconds are left at None.
    """
    deadline = None if budget_s is None else time.perf_counter() + budget_s

    def one(candidate: tuple[Callable[[], Codes], float]) -> Verification | None:
        if deadline is not None and time.perf_counter() > deadline:
            return None
        read, similarity = candidate
        return verify(query, read(), similarity)

    return list(_pool().map(one, candidates))


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    # One pool for all searches: more threads than cores would only take turns.
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="verify")


def _with_gap(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, B) to (h·(w+1), B): an empty cell ends each row, so that its neighbours are none."""
    height, width, bits = rows.shape
    padded = np.zeros((height, width + 1, bits), np.float32)
    padded[:, :width] = rows
    return padded.reshape(-1, bits)


def _mutual_matches(
    query: Query, codes: NDArray[np.uint8], grid: Grid
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mutual nearest neighbours as (n, 4) float32 positions, and their (n,) mean cosines."""
    rows = _with_gap(decode_codes(codes).reshape(*grid, CODE_BITS))
    alike = _consensus(cell_products()(query.rows, rows), query.grid[1] + 1, grid[1] + 1)
    alike[query.grid[1] :: query.grid[1] + 1] = -np.inf
    alike[:, grid[1] :: grid[1] + 1] = -np.inf
    nearest = alike.argmax(axis=1)
    best = alike[np.arange(len(alike)), nearest]
    mutual = np.flatnonzero((best >= alike.max(axis=0)[nearest]) & (best > 0))
    # A line of cells apart from the next by the gap.
    places = [
        np.stack([flat % (width + 1), flat // (width + 1)], axis=1)
        for flat, width in ((mutual, query.grid[1]), (nearest[mutual], grid[1]))
    ]
    cosines = best[mutual] / (9 * CODE_BITS)
    return np.concatenate(places, axis=1).astype(np.float32), cosines


_DIAGONAL = np.eye(3, dtype=np.float32)


def _consensus(alike: NDArray[np.float32], row: int, place_row: int) -> NDArray[np.float32]:
    """Add to each pair of cells the pairs of their 8 neighbours in the same directions."""
    filtered = cv2.filter2D(alike, -1, _DIAGONAL, borderType=cv2.BORDER_CONSTANT)
    beside = np.asarray(filtered, dtype=np.float32)
    total = beside.copy()
    total[row:, place_row:] += beside[:-row, :-place_row]
    total[:-row, :-place_row] += beside[row:, place_row:]
    return total
