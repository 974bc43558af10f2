"""Positions on Earth: WGS 84 degrees, and UTM metres."""

import math
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Latitude bands of 8° from 80° S; the last band, X, reaches to 84° N.
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
# Degrees that photos of a town may lie beyond the one band that is named for all of them.
_BAND_RIM = 1.0
_ZONE = re.compile(rf"(\d{{1,2}})([{_BANDS}])")


class Position(NamedTuple):
    """A point on the WGS 84 ellipsoid, in degrees."""

    latitude: float
    longitude: float


class Box(NamedTuple):
    """A range of latitudes and longitudes in degrees; across the date line, west exceeds east."""

    south: float
    west: float
    north: float
    east: float


class Utm(NamedTuple):
    """A UTM position: metres, and the zone with its latitude band (`17T`), '' if unknown."""

    easting: float
    northing: float
    zone: str = ""


def is_on_earth(position: Position) -> bool:
    """Whether both numbers are in range; NaN is not."""
    return abs(position.latitude) <= 90 and abs(position.longitude) <= 180


NULL_ISLAND = (
    "The position 0,0 stands for one that is not known; leave it out, or give the right one."
)


def is_null_island(position: Position) -> bool:
    """Whether a position is 0, 0 in the sea, which stands for an unknown position."""
    return position.latitude == 0 and position.longitude == 0


def is_zone(text: str) -> bool:
    """Whether a text is a UTM zone with its band, as in `17T`."""
    match = _ZONE.fullmatch(text)
    return match is not None and 1 <= int(match[1]) <= 60


def to_utm(position: Position) -> Utm | None:
    """The UTM position, or None near the poles, where UTM is not defined."""
    zone = _zone_of(position)
    if zone is None:
        return None
    easting, northing = _projection(zone)(position.longitude, position.latitude)
    return Utm(float(easting), float(northing), zone)


def metres_in(zone: str, degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) latitudes and longitudes as eastings and northings of a UTM zone."""
    latitudes, longitudes = degrees.T
    return np.column_stack(_projection(zone)(longitudes, latitudes))


def to_position(utm: Utm) -> Position | None:
    """The position in degrees; None for an unknown zone or impossible metres."""
    if not is_zone(utm.zone):
        return None
    longitude, latitude = _projection(utm.zone)(utm.easting, utm.northing, inverse=True)
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return None
    return Position(float(latitude), float(longitude))


def utm_contradiction(utm: Utm) -> str:
    """Why metres cannot be in their zone, as a clause; '' where they can.

    Metres without a zone may be those of a local map. The letter N stands for the whole northern
    hemisphere, as in the names of EPSG: the metres are the same in all its bands.
    """
    if not is_zone(utm.zone):
        return ""
    # Degrees are below any easting, and pass for metres at the equator.
    if not 1000 < utm.easting < 1_000_000:
        return f"the easting {utm.easting:.10g} is outside of zone {utm.zone}"
    position = to_position(utm)
    south = -80 + 8 * _BANDS.index(utm.zone[-1])
    north = 84 if utm.zone[-1] in "NX" else south + 8
    if position is None or not south - _BAND_RIM <= position.latitude <= north + _BAND_RIM:
        return (
            f"the northing {utm.northing:.10g} is not in zone {utm.zone}, whose band "
            f"{utm.zone[-1]} reaches from {_latitude_in_words(south)} to "
            f"{_latitude_in_words(north)}"
        )
    return ""


def look_like_degrees(eastings: Sequence[float], northings: Sequence[float]) -> bool:
    """Whether metres without a zone are probably degrees: in their range, and with fractions."""
    pairs = [(a, b) for a, b in zip(eastings, northings, strict=True) if a == a and b == b]
    if not pairs or all(a % 1 == b % 1 == 0 for a, b in pairs):
        return False
    least, most = sorted(max(map(abs, column)) for column in zip(*pairs, strict=True))
    return bool(least <= 90 and most <= 180)


def _latitude_in_words(latitude: int) -> str:
    return f"{abs(latitude)}° {'S' if latitude < 0 else 'N'}"


def both_positions(
    position: Position | None, utm: Utm | None
) -> tuple[Position | None, Utm | None]:
    """A position in degrees and in metres; a missing one is computed from the other."""
    if position is None and utm is not None:
        position = to_position(utm)
    if utm is None and position is not None:
        utm = to_utm(position)
    return position, utm


def _zone_of(position: Position) -> str | None:
    latitude, longitude = position
    if not -80 <= latitude <= 84:
        return None
    band = _BANDS[min(int((latitude + 80) // 8), len(_BANDS) - 1)]
    number = int((longitude + 180) // 6) % 60 + 1
    # The two exceptions of the grid: south-west Norway, and Svalbard.
    if band == "V" and 3 <= longitude < 12:
        number = 32
    elif band == "X" and 0 <= longitude < 42:
        number = next(
            zone for zone, east in ((31, 9), (33, 21), (35, 33), (37, 42)) if longitude < east
        )
    return f"{number}{band}"


@lru_cache(maxsize=128)
def _projection(zone: str) -> Any:
    from pyproj import Proj  # this import takes 0.1 s, which opening an index avoids

    return Proj(proj="utm", zone=int(zone[:-1]), ellps="WGS84", south=zone[-1] < "N")


def distances_m(points: NDArray[np.float64], point: Position) -> NDArray[np.float64]:
    """The lengths of the geodesics on WGS 84 from (N, 2) latitudes and longitudes to a point, (N,).

    In metres; NaN where a row is NaN.
    """
    latitudes, longitudes = points.T
    ends = np.broadcast_to(np.array(point, np.float64)[:, None], (2, len(points)))
    lengths: NDArray[np.float64] = _geod().inv(longitudes, latitudes, ends[1], ends[0])[2]
    return lengths


def mean_position(points: NDArray[np.float64], weights: NDArray[np.float64]) -> Position:
    """The weighted mean of points that lie close together, (N, 2) degrees, by weights (N,)."""
    # Relative to the heaviest, so that the mean of longitudes is right at ±180° too.
    origin = points[int(weights.argmax())]
    offsets = points - origin
    offsets[:, 1] = (offsets[:, 1] + 180) % 360 - 180
    latitude, longitude = origin + weights @ offsets / weights.sum()
    return Position(float(latitude), float((longitude + 180) % 360 - 180))


def bearing(start: Position, end: Position) -> float:
    """The direction from one point to another, in degrees from north by east, 0–360."""
    azimuth, _, _ = _geod().inv(start.longitude, start.latitude, end.longitude, end.latitude)
    return float(azimuth) % 360


def compass_degrees(angle: float, digits: int) -> float:
    """A direction rounded in degrees from north: 359.96 is 0.0, as 360 and 0 are one direction."""
    return round(angle % 360, digits) % 360


def geocentric(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) latitudes and longitudes to (N, 3) metres from the centre of the Earth (EPSG:4978).

    Between points some kilometres apart the straight line differs from the geodesic by less than a
    millimetre everywhere on Earth, without zones or map projections. Rows of NaN stay NaN.
    """
    latitudes, longitudes = degrees.T
    axes = _to_geocentric().transform(longitudes, latitudes, np.zeros(len(degrees)))
    metres = np.stack(axes, axis=1)
    metres[~np.isfinite(metres)] = np.nan
    return metres


def from_geocentric(metres: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `geocentric`: (N, 3) metres to (N, 2) latitudes and longitudes."""
    x, y, z = metres.T
    longitudes, latitudes, _ = _to_geocentric().transform(x, y, z, direction="INVERSE")
    degrees = np.stack([latitudes, longitudes], axis=1)
    degrees[~np.isfinite(degrees)] = np.nan
    return degrees


def east_north_up_to_degrees(
    metres: NDArray[np.float64], latitude: float, longitude: float, altitude: float
) -> NDArray[np.float64]:
    """(N, 3) metres east, north and up of a point to (N, 2) latitudes and longitudes."""
    start = np.stack(_to_geocentric().transform(longitude, latitude, altitude))
    north, east = np.radians(latitude), np.radians(longitude)
    sin, cos = np.sin(north), np.cos(north)
    axes = np.array(
        [
            [-np.sin(east), np.cos(east), 0],
            [-sin * np.cos(east), -sin * np.sin(east), cos],
            [cos * np.cos(east), cos * np.sin(east), sin],
        ]
    )
    return from_geocentric(start + metres @ axes)


def epsg_to_degrees(system: str, x: float, y: float) -> Position:
    """A point of a coordinate system, such as "EPSG:32633", in degrees; x points east.

    Raises:
        ValueError: there is no such system.
    """
    longitude, latitude = _to_degrees(system).transform(x, y)
    return Position(float(latitude), float(longitude))


@cache
def _to_degrees(system: str) -> Any:
    from pyproj import Transformer
    from pyproj.exceptions import CRSError

    try:
        return Transformer.from_crs(system, "EPSG:4326", always_xy=True)
    except CRSError as error:
        raise ValueError(system) from error


@cache
def _geod() -> Any:
    from pyproj import Geod

    return Geod(ellps="WGS84")


@cache
def _to_geocentric() -> Any:
    from pyproj import Transformer

    return Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
