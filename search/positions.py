"""Which places of an index lie near a point."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Position
from place_search.search.errors import ParameterError

if TYPE_CHECKING:
    from place_search.indexer import Box

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius: great-circle distances err by at most 0.6 % against the ellipsoid."""


class PlacePositions:
    """The positions of an index's places; places without one are left out."""

    def __init__(self, place_ids: NDArray[np.int64], positions: NDArray[np.float64]) -> None:
        """`place_ids` is (N,), `positions` (N, 2) degrees of latitude and longitude or NaN."""
        known = np.isfinite(positions).all(axis=1)
        self.place_ids: NDArray[np.int64] = place_ids[known]
        self._latitudes, self._longitudes = np.radians(positions[known]).T

    def __len__(self) -> int:
        return len(self.place_ids)

    def distances_m(self, point: Position) -> NDArray[np.float64]:
        """Great-circle distance of every place to a point, in metres, in `place_ids` order."""
        return _haversine_m(self._latitudes, self._longitudes, point)

    def box(self, point: Position, radius_m: float) -> "Box":
        """A box that holds all points at most `radius_m` metres from a point."""
        from place_search.indexer import (
            Box,  # half a second that the start of a server need not wait for
        )

        reach = math.degrees(radius_m / EARTH_RADIUS_M) * (1 + 1e-6) + 1e-6
        south, north = point.latitude - reach, point.latitude + reach
        if south <= -90 or north >= 90 or reach >= 90:  # a pole is inside, so all longitudes are
            return Box(max(south, -90.0), -180.0, min(north, 90.0), 180.0)
        # The widest part of a circle is nearer to the pole than its centre.
        ratio = math.sin(math.radians(reach)) / math.cos(math.radians(point.latitude))
        wide = math.degrees(math.asin(min(ratio, 1.0)))
        west, east = point.longitude - wide, point.longitude + wide
        return Box(south, (west + 180) % 360 - 180, north, (east + 180) % 360 - 180)

    def within(self, point: Position, radius_m: float) -> NDArray[np.int64]:
        """The ids of the places at most `radius_m` metres from a point."""
        return self.place_ids[self.distances_m(point) <= radius_m]


def distances_m(points: NDArray[np.float64], point: Position) -> NDArray[np.float64]:
    """Great-circle distances of (N, 2) degrees of latitude and longitude to a point, in metres."""
    latitudes, longitudes = np.radians(points).T
    return _haversine_m(latitudes, longitudes, point)


def _haversine_m(
    latitudes: NDArray[np.float64], longitudes: NDArray[np.float64], point: Position
) -> NDArray[np.float64]:
    latitude, longitude = np.radians(point)
    # The haversine form keeps its precision for points a few metres apart.
    chord = (
        np.sin((latitudes - latitude) / 2) ** 2
        + np.cos(latitude) * np.cos(latitudes) * np.sin((longitudes - longitude) / 2) ** 2
    )
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(chord, 0, 1))))


def parse_position(text: str) -> Position:
    """Read "latitude,longitude" in degrees.

    Raises:
        ParameterError: not two numbers, or not a point on Earth.
    """
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        latitude = longitude = np.nan
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ParameterError(
            f"'{text[:40]}' is no position; write latitude,longitude in degrees, as in 48.1,11.5."
        )
    return Position(latitude, longitude)
