"""Mutual nearest neighbours of local features, judged with their neighbours on the grid."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.models import Grid
from place_search.models.runtimes.products import feature_products
from place_search.search.matching import compiled
from place_search.search.matching.compiled import NEVER, Nearest
from place_search.search.matching.views import UNIT, Views

BLOCK = 1 << 18
"""Products that are made in one go: a processor's own cache holds them while they are summed."""
BORDER = 1 / 12
"""The share of a grid's shorter side, on each side, whose features are left out: most of what they
see is the padding around the photo, and cameras that darken their corners agree in it anywhere."""
SCALES = (0.75, 1.0, 1.33)
"""How much nearer or farther than the query a place is looked for, when votes are counted."""


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
    """Match a query with places of one grid, whose codes have as many bits.

    Features at the borders of the photos (`BORDER`) or in black frames match nothing.
    """
    if query.bits != places.bits:
        raise ValueError(f"A query of {query.bits} bits has no match among codes of {places.bits}.")
    near = compiled.nearest(query, places) or nearest(query, places)
    count = places.photos
    mutual = (near.query > 0) & (near.query >= near.most[np.arange(count), near.place])
    at, row = np.nonzero(mutual.T)
    here, there = _positions(row, query.line), _positions(near.place[row, at], places.line)
    kept = _is_inside(here, query.grid) & _is_inside(there, places.grid)
    kept &= query.has_features(row) & places.has_features(at * places.size + near.place[row, at])
    at, row = at[kept], row[kept]
    cosines = near.query[row, at].astype(np.float32) / np.float32(9 * query.bits * UNIT)
    return Matches(count, at, here[kept], there[kept], cosines)


def _is_inside(positions: NDArray[np.intp], grid: Grid) -> NDArray[np.bool_]:
    """Whether (n, 2) positions x, y keep away from the borders of a grid (h, w)."""
    border = int(min(grid) * BORDER)
    last = np.array(grid[::-1]) - 1 - border
    return np.asarray(((positions >= border) & (positions <= last)).all(axis=1))


def votes(matches: Matches, query: Grid) -> NDArray[np.intp]:
    """How many of each place's matches agree on a shift, to a cell, at the best of `SCALES`: (n,).

    As a Hough transform does. It finds the same candidates as fitting a map to each does, and
    takes a hundredth of the time.
    """
    middle = (np.array(query[::-1]) - 1) / 2
    counts: NDArray[np.intp] = np.max([_votes_at(matches, s, middle) for s in SCALES], axis=0)
    return counts


def _votes_at(matches: Matches, scale: float, middle: NDArray[np.float64]) -> NDArray[np.intp]:
    if not len(matches.place):
        return np.zeros(matches.places, np.intp)
    shifts = matches.other - np.rint((matches.query - middle) * scale + middle).astype(np.intp)
    shifts -= shifts.min(axis=0) - 1
    width, height = shifts.max(axis=0) + 2
    cells = (matches.place * height + shifts[:, 1]) * width + shifts[:, 0]
    counts = np.bincount(cells, minlength=matches.places * height * width)
    counts = counts.reshape(matches.places, height, width)
    rows = counts[:, :-2] + counts[:, 1:-1] + counts[:, 2:]
    found: NDArray[np.intp] = (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]).max(axis=(1, 2))
    return found


def _positions(features: NDArray[np.intp], line: int) -> NDArray[np.intp]:
    return np.stack([features % line - 1, features // line], axis=1)


def nearest(query: Views, places: Views) -> Nearest:
    """The nearest features, without anything that an installation has to compile.

    A feature and its neighbour are one row and one column of the products apart; those above and
    below are a row of the grid apart. Zeros lie wherever that leads beyond a grid, so sums along
    these diagonals are sums of one long array with itself, shifted.
    """
    products = feature_products(query.bits)
    line, columns = query.line, len(places.rows)
    total = query.grid[0] * line
    below = line * columns + places.line
    beside = np.empty(total * columns, np.int16)
    place = np.zeros((total, places.photos), np.int64)
    best = np.empty(place.shape, np.int16)
    most = np.full(columns, NEVER, np.int16)
    step = max(BLOCK // (line * columns), 1) * line
    starts = np.arange(0, place.size * places.size, places.size)
    done = 0
    for start in range(0, total, step):
        end = min(start + step, total)
        found = products(query.rows[start:end], places.rows)
        if places.unit != 1:
            found /= places.unit
        pairs = found.astype(np.int16).ravel()
        _add_shifted(beside[start * columns : end * columns], pairs, columns + 1)
        # The last row of the grid waits for the one below it.
        ready = end if end == total else end - line
        if ready <= done:
            continue
        sums = _with_above_and_below(
            beside[: end * columns], done * columns, ready * columns, below
        )
        alike = sums.reshape(ready - done, columns)
        _forbid_zeros(alike, line, places)
        each = alike.reshape(-1, places.size)
        here = each.argmax(axis=1)
        place[done:ready] = here.reshape(ready - done, -1)
        best[done:ready] = sums[here + starts[: len(here)]].reshape(ready - done, -1)
        np.maximum(most, alike.max(axis=0), out=most)
        done = ready
    return Nearest(place, best, most.reshape(-1, places.size))


def _add_shifted(sums: NDArray[np.int16], pairs: NDArray[np.int16], shift: int) -> None:
    """Write to sums each of pairs with those `shift` before and after it."""
    sums[-shift:] = pairs[-shift:]
    np.add(pairs[:-shift], pairs[shift:], out=sums[:-shift])
    sums[shift:] += pairs[:-shift]


def _with_above_and_below(
    sums: NDArray[np.int16], start: int, end: int, shift: int
) -> NDArray[np.int16]:
    """Entries `start` to `end` of sums, each with those `shift` before and after it."""
    after = sums[start + shift : end + shift]
    alike = np.empty(end - start, np.int16)
    np.add(sums[start : start + len(after)], after, out=alike[: len(after)])
    alike[len(after) :] = sums[start + len(after) : end]
    skipped = max(shift - start, 0)
    alike[skipped:] += sums[start + skipped - shift : max(end - shift, 0)]
    return alike


def _forbid_zeros(alike: NDArray[np.int16], line: int, places: Views) -> None:
    alike[::line] = NEVER
    grid = alike.reshape(len(alike), -1, places.grid[0] + 1, places.line)
    grid[..., 0] = NEVER
    grid[:, :, -1] = NEVER
