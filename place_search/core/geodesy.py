"""Positions on Earth: WGS 84 degrees, and UTM metres."""

import math
import re
from functools import lru_cache
from typing import Any, NamedTuple

# Latitude bands of 8° from 80° S; the last one, X, reaches to 84° N.
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_ZONE = re.compile(rf"(\d{{1,2}})([{_BANDS}])")


class Position(NamedTuple):
    """A point on the WGS 84 ellipsoid, in degrees."""

    latitude: float
    longitude: float


class Utm(NamedTuple):
    """A UTM position: metres, and the zone with its latitude band (`17T`), '' when not known."""

    easting: float
    northing: float
    zone: str = ""


def is_zone(text: str) -> bool:
    """Whether this is a UTM zone with its band, as in `17T`."""
    found = _ZONE.fullmatch(text)
    return found is not None and 1 <= int(found[1]) <= 60


def to_utm(position: Position) -> Utm | None:
    """The UTM position, or None near the poles, where UTM is not defined."""
    zone = _zone_of(position)
    if zone is None:
        return None
    easting, northing = _projection(zone)(position.longitude, position.latitude)
    return Utm(float(easting), float(northing), zone)


def to_position(utm: Utm) -> Position | None:
    """The position in degrees, or None when the zone is not known or the metres make no sense."""
    if not is_zone(utm.zone):
        return None
    longitude, latitude = _projection(utm.zone)(utm.easting, utm.northing, inverse=True)
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return None
    return Position(float(latitude), float(longitude))


def both_positions(
    position: Position | None, utm: Utm | None
) -> tuple[Position | None, Utm | None]:
    """A position in degrees and in metres, each from the other where it is not given."""
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
    from pyproj import Proj  # 0.1 s that opening an index need not pay

    return Proj(proj="utm", zone=int(zone[:-1]), ellps="WGS84", south=zone[-1] < "N")
