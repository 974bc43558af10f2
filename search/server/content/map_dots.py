"""The places in a box of the map, clustered on a grid where they are many."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Box
from place_search.core.tables import parse_numbers
from place_search.search.errors import ParameterError

MERCATOR_LATITUDE = 85.0511
"""The northern and southern limit of a Web Mercator map, in degrees."""
FINEST_LEVEL = 26
"""2^26 cells around the equator: 0.6 m each."""


class PlaceClusters(NamedTuple):
    """Clusters of places: (n,) rows of their first places, and (n,) numbers of their places."""

    rows: NDArray[np.intp]
    counts: NDArray[np.intp]


def parse_box(text: str) -> Box:
    """Read "west,south,east,north" in degrees.

    Raises:
        ParameterError: not four numbers, not on Earth, or south above north.
    """
    try:
        west, south, east, north = parse_numbers(text)
    except ValueError:
        west = south = east = north = np.nan
    if not (abs(west) <= 180 and abs(east) <= 180 and -90 <= south <= north <= 90):
        raise ParameterError(
            f"'{text[:60]}' is no box; write west,south,east,north in degrees, as in "
            "bbox=11.4,48.1,11.7,48.2.",
            "bbox",
        )
    return Box(south=south, west=west, north=north, east=east)


def cluster_places(positions: NDArray[np.float64], box: Box, limit: int) -> PlaceClusters:
    """At most `limit` of the places in a box, so that they cover the same ground.

    `positions` is (N, 2) latitude and longitude in degrees, NaN for none. Where more places than
    `limit` lie in the box, the map is cut in square cells, fixed to the ground, and the first
    place of each cell stands for all of its places. The cells' side is the smallest power of two
    that gives at most `limit` cells.
    """
    latitudes, longitudes = positions.T
    # Comparisons with NaN are false, so places without a position are left out.
    east_of, west_of = longitudes >= box.west, longitudes <= box.east
    inside = east_of & west_of if box.west <= box.east else east_of | west_of
    if 180 in (-box.west, box.east):  # 180° is -180° too
        inside |= np.abs(longitudes) == 180
    inside &= (latitudes >= box.south) & (latitudes <= box.north)
    rows = np.flatnonzero(inside)
    if len(rows) <= limit:
        return PlaceClusters(rows, np.ones(len(rows), dtype=np.intp))
    x, y = _cells(latitudes[rows], longitudes[rows])
    # Each level halves the cells' sides, so the finest level with few cells is found by bisection.
    low, high = 0, FINEST_LEVEL
    while low < high:
        level = (low + high + 1) // 2
        if len(np.unique(_keys(x, y, level))) <= limit:
            low = level
        else:
            high = level - 1
    _, first, counts = np.unique(_keys(x, y, low), return_index=True, return_counts=True)
    return PlaceClusters(rows[first], counts)


def _cells(
    latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Column and row of each point on the finest grid, in Web Mercator."""
    side = 2**FINEST_LEVEL
    sines = np.sin(np.radians(np.clip(latitudes, -MERCATOR_LATITUDE, MERCATOR_LATITUDE)))
    x = (longitudes + 180) / 360
    y = 0.5 - np.arctanh(sines) / (2 * np.pi)
    columns, rows = (np.clip(part * side, 0, side - 1).astype(np.int64) for part in (x, y))
    return columns, rows


def _keys(x: NDArray[np.int64], y: NDArray[np.int64], level: int) -> NDArray[np.int64]:
    shift = FINEST_LEVEL - level
    return ((y >> shift) << level) | (x >> shift)
