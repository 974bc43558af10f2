"""The replies of a search, as the HTTP API and `--json` print them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Reply(BaseModel):
    """The base of every reply: immutable and without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PositionReply(Reply):
    """A point on the WGS 84 ellipsoid."""

    latitude: float = Field(description="Degrees north.", ge=-90, le=90)
    longitude: float = Field(description="Degrees east.", ge=-180, le=180)


class UtmReply(Reply):
    """A point in the Universal Transverse Mercator grid."""

    easting: float = Field(description="Metres.")
    northing: float = Field(description="Metres.")
    zone: str = Field(description="Zone and latitude band, such as 33U; empty where unknown.")


class QueryReply(Reply):
    """What the server saw in the photo."""

    width: int = Field(description="Pixels, of the upright photo as sent.")
    height: int = Field(description="Pixels, of the upright photo as sent.")
    position: PositionReply | None = Field(description="From the photo's Exif GPS block.")
    notes: list[str] = Field(description="Sentences about what was odd in the photo or request.")


class TimingsReply(Reply):
    """Milliseconds that each stage took."""

    queue: float = Field(description="Waiting for a worker.")
    decode: float = Field(description="Photo bytes to upright pixels.")
    embed: float = Field(description="Pixels to descriptor and cells.")
    search: float = Field(description="Descriptor to the most similar places.")
    verify: float = Field(description="Spatial verification of the candidates.")
    total: float = Field(description="All of it.")


class VerifiedReply(Reply):
    """How well the cells of photo and place agree on one view."""

    inliers: int = Field(description="Cell matches that one affine map explains; 0 for none.")
    score: float = Field(description="What the places are ranked by: agreement × similarity.")


class PlaceReply(Reply):
    """One place: a database photo and where it was taken."""

    place_id: int
    name: str = Field(description="The photo's path, relative to the indexed folder.")
    position: PositionReply | None
    utm: UtmReply | None
    image_url: str = Field(description="The photo as a JPEG of at most 1600 pixels a side.")
    thumbnail_url: str = Field(description="A small JPEG; append ?v=INDEX_ID to cache it for good.")


class ResultReply(Reply):
    """A place that looks like the photo."""

    rank: int = Field(description="1 for the best.")
    place_id: int
    name: str = Field(description="The photo's path, relative to the indexed folder.")
    similarity: float = Field(description="Cosine of the two descriptors, at most 1.")
    verified: VerifiedReply | None = Field(description="null where no verification was done.")
    position: PositionReply | None
    utm: UtmReply | None
    image_url: str
    thumbnail_url: str


class LocationReply(Reply):
    """Where the photo was probably taken."""

    latitude: float
    longitude: float
    radius_m: float


class SearchReply(Reply):
    """The places that look most like the photo, best first."""

    index_id: str
    model: str = Field(description="The model's id.")
    query: QueryReply
    timings_ms: TimingsReply
    results: list[ResultReply]
    location: LocationReply | None


class CompareReply(Reply):
    """Whether two photos show the same place."""

    similarity: float = Field(description="Cosine of the two descriptors, at most 1.")
    probability: float | None = Field(
        description="That both show the same place; null where the model has no calibration."
    )
    threshold: float | None = Field(description="The probability from which the result is same.")
    result: Literal["same", "different"] | None
    inliers: int = Field(description="Cell matches that one affine map explains; 0 for none.")
    matches: list[list[float]] = Field(
        description="Each x1, y1, x2, y2: pixels of the two photos as sent, upright."
    )
    model: str = Field(description="The model's id.")
    notes: list[str] = Field(description="Sentences about what was odd in the photos.")


class SkippedPhotoReply(Reply):
    """A photo that could not be indexed."""

    name: str
    reason: str


class SkippedReply(Reply):
    """The photos that could not be indexed."""

    count: int
    photos: list[SkippedPhotoReply] = Field(description="The first hundred.")


class IndexReply(Reply):
    """What the server searches in."""

    index_id: str
    model: str = Field(description="The model's id.")
    fingerprint: str = Field(description="Of the model's weights and preprocessing.")
    places: int
    positions: int = Field(description="How many of the places have a position.")
    dims: int = Field(description="Numbers in a descriptor.")
    created: str = Field(description="When the index was built, ISO 8601.")
    format_version: int
    skipped: SkippedReply


class LiveReply(Reply):
    """The process answers."""

    status: str = "alive"


class ReadyReply(Reply):
    """Index and model are loaded."""

    status: str = "ready"
    index_id: str
    model: str
    places: int


class ParameterProblem(Reply):
    """One parameter that is wrong."""

    name: str
    reason: str


class ProblemReply(Reply):
    """An error, as RFC 9457 describes it."""

    type: str = Field(description="Stable; a relative reference such as /problems/busy.")
    title: str
    status: int
    detail: str = Field(description="One sentence: what is wrong and what to do.")
    errors: list[ParameterProblem] | None = Field(
        default=None, description="The parameters that are wrong, where any are."
    )
