"""Replies of the server. Fields that a newer server adds are left out.

From docs/openapi.json; written by
`python -m docs.generators.types`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


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

    verdict: str
    probability: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Location:
    """Where the photo was taken; null unless the verdict is found."""

    latitude: float
    longitude: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Verified:
    """How well photo and place agree on one view."""

    inliers: int
    score: float


@dataclass(frozen=True, slots=True)
class PlaceInfo:
    """One place: a database photo and where it was taken."""

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
    """One place, with what people have said of it."""

    taken: str | None = None
    heading: float | None = None
    note: str = ""
    tags: list[str] = field(default_factory=list)
    fields: Mapping[str, str | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListedPlace(PlaceDetails):
    """One place of a page of them."""

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
    """The group that a place is in; a place that was never grouped is in one of its own."""

    id: int
    name: str | None
    photos: int
    held: bool
    place_ids: list[int]
    index_id: str
    places: list[PlaceDetails]


@dataclass(frozen=True, slots=True)
class AddedPhoto:
    """What became of one of several photos."""

    file: str
    status: int
    place: PlaceDetails | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class AddedPhotos:
    """What became of several photos, which one change of the index has taken in."""

    index_id: str
    added: int
    known: int
    refused: int
    photos: list[AddedPhoto]


@dataclass(frozen=True, slots=True)
class ServedIndex:
    """One of the server's indexes."""

    name: str
    status: str
    index_id: str | None
    places: int | None
    model: str | None
    changes: str = "never"


@dataclass(frozen=True, slots=True)
class IndexList:
    """The server's indexes, the first one first."""

    indexes: list[ServedIndex]


@dataclass(frozen=True, slots=True)
class Facing:
    """Where a view of a 360° panorama looks."""

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
    """What the server saw in the photo."""

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
    """The places that look most like a place of the index, best first; verified by nothing."""

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
    skipped: Skipped
    fields: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that searches, from its card."""

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
    """Pixels of a photo."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Grid:
    """The backbone's grid of cells."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the model makes of a photo."""

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
    """Where a frame was taken, by those before it and itself."""

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
    result: str
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
    """A track with the frame that it was just given."""

    frame: LocatedFrame
