"""Mutual nearest neighbours of local features, compared with their neighbours on the grid."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.models import Grid
from place_search.models.runtimes.products import feature_products
from place_search.search.matching import compiled
from place_search.search.matching.compiled import NEVER, Nearest
from place_search.search.matching.views import UNIT, Views

BLOCK = 1 << 18
"""The number of products in one block: they stay in a core's cache while they are summed."""
BORDER = 1 / 12
"""The share of a grid's shorter side, on each side, whose features are left out: they mostly see
the padding around the photo, and the corners that a camera darkens are alike in all its photos."""
SCALES = (0.75, 1.0, 1.33)
"""The scales of a place relative to the query that votes are counted at."""


class Matches(NamedTuple):
    """Mutual nearest neighbours of a query's features and those of `places` places.

    `place` is (n,) of 0 to places - 1, ascending; `query` and `other` are (n, 2) int64 x, y in the
    query's and the place's grid; `cosines` is (n,) float32, the mean over a feature and the eight
    around it.
    """

    places: int
    place: NDArray[np.intp]
    query: NDArray[np.intp]
    other: NDArray[np.intp]
    cosines: NDArray[np.float32]


def mutual_matches(query: Views, places: Views) -> Matches:
    """Match a query with places of one grid, whose codes have as many bits as the query's.

    Features at the borders of the photos (`BORDER`) or in black frames match nothing.
    """
    if query.bits != places.bits:
        raise ValueError(f"A query of {query.bits} bits has no match among codes of {places.bits}.")
    near = compiled.nearest(query, places) or nearest(query, places)
    count = places.photos
    mutual = (near.query > 0) & (near.query >= near.most[np.arange(count), near.place])
    at, row = np.nonzero(mutual.T)
    feature = near.place[row, at]
    in_query, in_place = _positions(row, query.line), _positions(feature, places.line)
    valid = _is_inside(in_query, query.grid) & _is_inside(in_place, places.grid)
    valid &= query.has_features(row) & places.has_features(at * places.size + feature)
    at, row = at[valid], row[valid]
    cosines = near.query[row, at].astype(np.float32) / np.float32(9 * query.bits * UNIT)
    return Matches(count, at, in_query[valid], in_place[valid], cosines)


def _is_inside(positions: NDArray[np.intp], grid: Grid) -> NDArray[np.bool_]:
    """A mask (n,) of the (n, 2) positions x, y that are not at the borders of a grid (h, w)."""
    border = int(min(grid) * BORDER)
    last = np.array(grid[::-1]) - 1 - border
    return np.asarray(((positions >= border) & (positions <= last)).all(axis=1))


def votes(matches: Matches, query: Grid) -> NDArray[np.intp]:
    """The most matches of each place that agree on a shift, to a cell, at one of `SCALES`: (n,).

    This Hough transform finds the same candidates as fitting a map to each place, in a hundredth of
    the time.
    """
    middle = (np.array(query[::-1]) - 1) / 2
    return np.asarray(np.stack([_votes_at(matches, s, middle) for s in SCALES]).max(axis=0))


def _votes_at(matches: Matches, scale: float, middle: NDArray[np.float64]) -> NDArray[np.intp]:
    if not len(matches.place):
        return np.zeros(matches.places, np.intp)
    shifts = matches.other - np.rint((matches.query - middle) * scale + middle).astype(np.intp)
    shifts -= shifts.min(axis=0) - 1
    width, height = shifts.max(axis=0) + 2
    cells = (matches.place * height + shifts[:, 1]) * width + shifts[:, 0]
    counts = np.bincount(cells, minlength=matches.places * height * width)
    grids = counts.reshape(matches.places, height, width)
    rows = grids[:, :-2] + grids[:, 1:-1] + grids[:, 2:]
    return np.asarray((rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]).max(axis=(1, 2)))


def _positions(features: NDArray[np.intp], line: int) -> NDArray[np.intp]:
    return np.stack([features % line - 1, features // line], axis=1)


def nearest(query: Views, places: Views) -> Nearest:
    """The nearest features, in NumPy, for installations without the compiled nearest.c.

    A feature and its neighbour are one row and one column of the products apart; features above and
    below are a row of the grid apart. Beyond a grid there are zeros, so sums along these diagonals
    are sums of one long array with itself, shifted.
    """
    products = feature_products(query.bits)
    line, columns = query.line, len(places.rows)
    total = query.grid[0] * line
    below = line * columns + places.line
    line_sums = np.empty(total * columns, np.int16)
    place = np.zeros((total, places.photos), np.int64)
    best = np.empty(place.shape, np.int16)
    most = np.full(columns, NEVER, np.int16)
    step = max(BLOCK // (line * columns), 1) * line
    starts = np.arange(0, place.size * places.size, places.size)
    first = 0
    for start in range(0, total, step):
        end = min(start + step, total)
        block = products(query.rows[start:end], places.rows)
        if places.unit != 1:
            block /= places.unit
        pairs = block.astype(np.int16).ravel()
        _add_shifted(line_sums[start * columns : end * columns], pairs, columns + 1)
        # The last row of the grid waits for the products of the row below it.
        ready = end if end == total else end - line
        if ready <= first:
            continue
        sums = _with_above_and_below(
            line_sums[: end * columns], first * columns, ready * columns, below
        )
        similarities = sums.reshape(ready - first, columns)
        _forbid_zeros(similarities, line, places)
        by_place = similarities.reshape(-1, places.size)
        feature = by_place.argmax(axis=1)
        place[first:ready] = feature.reshape(ready - first, -1)
        best[first:ready] = sums[feature + starts[: len(feature)]].reshape(ready - first, -1)
        np.maximum(most, similarities.max(axis=0), out=most)
        first = ready
    return Nearest(place, best, most.reshape(-1, places.size))


def _add_shifted(sums: NDArray[np.int16], pairs: NDArray[np.int16], shift: int) -> None:
    """Write to `sums` each entry of `pairs` plus the entries `shift` before and after it."""
    sums[-shift:] = pairs[-shift:]
    np.add(pairs[:-shift], pairs[shift:], out=sums[:-shift])
    sums[shift:] += pairs[:-shift]


def _with_above_and_below(
    sums: NDArray[np.int16], start: int, end: int, shift: int
) -> NDArray[np.int16]:
    """Entries `start` to `end` of `sums`, each plus the entries `shift` before and after it."""
    after = sums[start + shift : end + shift]
    totals = np.empty(end - start, np.int16)
    np.add(sums[start : start + len(after)], after, out=totals[: len(after)])
    totals[len(after) :] = sums[start + len(after) : end]
    skipped = max(shift - start, 0)
    totals[skipped:] += sums[start + skipped - shift : max(end - shift, 0)]
    return totals


def _forbid_zeros(similarities: NDArray[np.int16], line: int, places: Views) -> None:
    similarities[::line] = NEVER
    grid = similarities.reshape(len(similarities), -1, places.grid[0] + 1, places.line)
    grid[..., 0] = NEVER
    grid[:, :, -1] = NEVER
