"""Replies of the server. Fields that a newer server adds are left out.

From docs/openapi.json; written by
`python -m docs.generators.types`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class PointOnEarth:
    """A point on the WGS 84 ellipsoid."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class UtmPoint:
    """A point in the Universal Transverse Mercator grid."""

    easting: float
    northing: float
    zone: str


@dataclass(frozen=True, slots=True)
class Match:
    """Whether the photo's place is among those of the index."""

    verdict: Literal["found", "unsure", "not_found"]
    probability: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Location:
    """The estimated position of the photo; null unless the verdict is found."""

    latitude: float
    longitude: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Verified:
    """The geometric agreement of the photo with a place."""

    inliers: int
    score: float


@dataclass(frozen=True, slots=True)
class PlaceInfo:
    """A place: a database photo with its position."""

    place_id: int
    name: str
    position: PointOnEarth | None
    utm: UtmPoint | None
    image_url: str
    thumbnail_url: str


@dataclass(frozen=True, slots=True)
class Spot:
    """The group of photos that show the same spot."""

    id: int
    name: str | None
    photos: int


@dataclass(frozen=True, slots=True)
class PlaceDetails(PlaceInfo):
    """A place with its time and heading, its note, tags and own fields."""

    taken: str | None = None
    heading: float | None = None
    note: str = ""
    tags: list[str] = field(default_factory=list)
    fields: Mapping[str, str | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListedPlace(PlaceDetails):
    """A place of a page of places, with its group."""

    group: Spot | None = None


@dataclass(frozen=True, slots=True)
class PlacesPage:
    """A page of the places of the index."""

    index_id: str
    total: int
    places: list[ListedPlace]
    next_cursor: str | None
    changed: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A group of photos that show the same spot."""

    id: int
    name: str | None
    photos: int
    held: bool
    place_ids: list[int]


@dataclass(frozen=True, slots=True)
class GroupsPage:
    """A page of the groups of several photos, and of those with a name."""

    index_id: str
    total: int
    groups: list[Group]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class PlaceGroup:
    """The group that a place is in; a place that was never grouped is in a group of its own."""

    id: int
    name: str | None
    photos: int
    held: bool
    place_ids: list[int]
    index_id: str
    places: list[PlaceDetails]


@dataclass(frozen=True, slots=True)
class AddedPlace(PlaceDetails):
    """The place of a photo that was added, or was there already, with notes on the photo."""

    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AddedPhoto:
    """The result for each of several photos to add."""

    file: str
    status: int
    place: PlaceDetails | None
    problem: str | None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AddedPhotos:
    """The results for several photos, which were added by one change of the index."""

    index_id: str
    added: int
    known: int
    refused: int
    photos: list[AddedPhoto]


@dataclass(frozen=True, slots=True)
class ServedIndex:
    """An index of the server."""

    name: str
    status: Literal["loading", "ready", "removed", "outdated"]
    index_id: str | None
    places: int | None
    model: str | None
    changes: Literal["allowed", "needs_key", "never"] = "never"


@dataclass(frozen=True, slots=True)
class IndexList:
    """The server's indexes; the first is that of addresses without a name."""

    indexes: list[ServedIndex]


@dataclass(frozen=True, slots=True)
class Facing:
    """The direction of a view of a 360° panorama."""

    yaw: float
    heading: float | None


@dataclass(frozen=True, slots=True)
class Result(PlaceInfo):
    """A place that looks like the photo."""

    rank: int
    similarity: float
    probability: float
    verified: Verified | None
    group: Spot | None = None
    heading: float | None = None
    query_view: Facing | None = None


@dataclass(frozen=True, slots=True)
class QueryInfo:
    """The size, the position and the views of the query photo, and notes on it."""

    width: int
    height: int
    position: PointOnEarth | None
    notes: list[str]
    views: list[Facing] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The places that look most like the photo, best first."""

    index_id: str
    model: str
    query: QueryInfo
    timings_ms: Mapping[str, float]
    match: Match
    results: list[Result]
    location: Location | None


@dataclass(frozen=True, slots=True)
class SimilarPlaces:
    """The places that look most like a place of the index, best first; none is verified."""

    index_id: str
    model: str
    place_id: int
    notes: list[str]
    results: list[Result]


@dataclass(frozen=True, slots=True)
class SkippedPhoto:
    """A photo that could not be indexed."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """The photos that could not be indexed."""

    count: int
    photos: list[SkippedPhoto]


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """The facts of the index that the server searches."""

    index_id: str
    model: str
    fingerprint: str
    precision: str
    places: int
    positions: int
    dims: int
    created: str
    format_version: int
    skipped: Skipped
    fields: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The facts of the server's model, from its card."""

    id: str
    title: str
    family: str
    backbone: str
    clusters: int | None
    channels: int | None
    dims: int
    photo_side: int
    stride: int | None
    whitened: bool
    licence: str
    fitted: str | None


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a photo in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Grid:
    """The backbone's grid of cells."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """The model's steps from a photo to its descriptor."""

    model: str
    photo: Size
    seen: Size
    grid: Grid
    clusters: int
    channels: int
    dims: int
    assignment: list[list[int]]
    cluster_norms: list[float]
    sums: list[list[float]]
    descriptor: list[float]


@dataclass(frozen=True, slots=True)
class LocatedFrame:
    """A frame with its place, by the frame itself and the frames before."""

    frame: int
    name: str
    seconds: float | None
    known: bool
    probability: float
    place_id: int | None
    place: str | None
    position: PointOnEarth | None
    heading: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two photos show the same place."""

    similarity: float
    probability: float
    threshold: float
    result: Literal["same", "different"]
    inliers: int
    matches: list[list[float]]
    model: str
    notes: list[str]
    photo_notes: list[str]


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """A track that is open to frames."""

    track_id: str
    index_id: str
    model: str
    frames: int


@dataclass(frozen=True, slots=True)
class TrackPath(TrackInfo):
    """A track with its last frames."""

    path: list[LocatedFrame]


@dataclass(frozen=True, slots=True)
class TrackedFrame(TrackInfo):
    """A track with the frame that was just added."""

    frame: LocatedFrame
