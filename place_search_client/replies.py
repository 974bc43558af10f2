"""Replies of the server. Fields that a newer server adds are left out."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PointOnEarth:
    """A point on the WGS 84 ellipsoid, in degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class UtmPoint:
    """A point in the Universal Transverse Mercator grid, in metres."""

    easting: float
    northing: float
    zone: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where the photo was probably taken: degrees, and a radius in metres."""

    latitude: float
    longitude: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Verified:
    """How well the cells of photo and place agree on one view."""

    inliers: int
    score: float


@dataclass(frozen=True, slots=True)
class PlaceInfo:
    """A database photo and where it was taken; the addresses are relative to the server."""

    place_id: int
    name: str
    position: PointOnEarth | None
    utm: UtmPoint | None
    image_url: str
    thumbnail_url: str


@dataclass(frozen=True, slots=True)
class Result(PlaceInfo):
    """A place that looks like the photo; rank 1 is the best, `similarity` a cosine."""

    rank: int
    similarity: float
    verified: Verified | None


@dataclass(frozen=True, slots=True)
class QueryInfo:
    """What the server saw in the photo: the upright size in pixels, its position, oddities."""

    width: int
    height: int
    position: PointOnEarth | None
    notes: list[str]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The places that look most like the photo, best first."""

    index_id: str
    model: str
    query: QueryInfo
    timings_ms: Mapping[str, float]
    results: list[Result]
    location: Location | None


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What the server searches in."""

    index_id: str
    model: str
    fingerprint: str
    precision: str
    places: int
    positions: int
    dims: int
    created: str
    format_version: int


_NESTED: Mapping[str, type[Any]] = {
    "position": PointOnEarth,
    "utm": UtmPoint,
    "verified": Verified,
    "location": Location,
    "query": QueryInfo,
    "results": Result,
}


def read(kind: type[T], body: Mapping[str, Any]) -> T:
    """A reply from its JSON. Raises KeyError where a field is missing."""
    return kind(**{field.name: _value(field.name, body[field.name]) for field in fields(kind)})  # type: ignore[arg-type]


def _value(name: str, value: Any) -> Any:
    kind = _NESTED.get(name)
    if kind is None or value is None:
        return value
    return [read(kind, item) for item in value] if isinstance(value, list) else read(kind, value)
