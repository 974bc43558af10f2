"""The replies of a search, as the HTTP API and `--json` print them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from place_search.search.reasons import reason_dict


class Reply(BaseModel):
    """The base of every reply: immutable and without unknown fields.

    Its schema is open, so that clients made from it pass over the fields of a newer server.
    """

    # Replies with parts build the validators of these: building all would delay a start by 25 ms.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        json_schema_extra=lambda schema: schema.pop("additionalProperties"),
    )


class Patch(BaseModel):
    """The base of every change that clients send: its fields are all that there are."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _below_root_path(address: str, info: ValidationInfo) -> str:
    return f"{info.context or ''}{address}"


Address = Annotated[str, AfterValidator(_below_root_path)]
"""An address of this server, below the root path that is the context of the validation."""


class ReasonReply(Reply):
    """The code of a sentence and its values, for pages in other languages."""

    code: str = Field(description="Stable, such as gps-broken.")
    values: dict[str, str] = Field(description="What stands in the sentence, by name.")


def coded(sentence: str) -> ReasonReply | None:
    """A sentence as code and values; None where it has no code."""
    reason = reason_dict(sentence)
    return None if reason is None else ReasonReply(**reason)


class PositionReply(Reply):
    """A point on the WGS 84 ellipsoid."""

    latitude: float = Field(description="Degrees north.", ge=-90, le=90)
    longitude: float = Field(description="Degrees east.", ge=-180, le=180)


class UtmReply(Reply):
    """A point in the Universal Transverse Mercator grid."""

    easting: float = Field(description="Metres.")
    northing: float = Field(description="Metres.")
    zone: str = Field(description="Zone and latitude band, such as 33U; empty where unknown.")


class ViewReply(Reply):
    """The direction of a view of a 360° panorama."""

    yaw: float = Field(description="Degrees clockwise from the panorama's middle.")
    heading: float | None = Field(
        description="Degrees from north; null where the panorama does not say how it was held."
    )


class QueryReply(Reply):
    """The size, the position and the views of the query photo, and notes on it."""

    width: int = Field(description="Pixels, of the upright photo as sent.")
    height: int = Field(description="Pixels, of the upright photo as sent.")
    position: PositionReply | None = Field(description="From the photo's Exif or XMP.")
    notes: list[str] = Field(description="Sentences about what was odd in the photo or request.")
    views: list[ViewReply] = Field(
        default_factory=list, description="What a 360° panorama was cut into; empty for others."
    )
    reasons: list[ReasonReply | None] = Field(
        description="The notes as codes, in their order; null where one has none."
    )


class TimingsReply(Reply):
    """The duration of each stage in milliseconds."""

    queue: float = Field(description="Waiting for a worker.")
    decode: float = Field(description="Photo bytes to upright pixels.")
    embed: float = Field(description="Pixels to descriptor and local features.")
    search: float = Field(description="Descriptor to the most similar places.")
    verify: float = Field(description="Spatial verification of the candidates.")
    total: float = Field(description="All of it.")


class VerifiedReply(Reply):
    """The geometric agreement of the photo with a place."""

    inliers: int = Field(description="Matching points, which agree on one arrangement; 0 for none.")
    score: float = Field(description="What the places are ranked by: agreement × similarity.")


class PlaceReply(Reply):
    """A place: a database photo with its position."""

    place_id: int
    name: str = Field(description="What it is called; by default its photo's path in the folder.")
    position: PositionReply | None
    utm: UtmReply | None
    image_url: Address = Field(description="The photo as a JPEG of at most 1600 pixels a side.")
    thumbnail_url: Address = Field(description="A small JPEG, which may be cached for good.")


class SpotReply(Reply):
    """The group of photos that show the same spot."""

    id: int
    name: str | None = Field(description="The name that people gave the group.")
    photos: int = Field(description="The number of its photos in the index.")


class ResultReply(Reply):
    """A place that looks like the photo."""

    rank: int = Field(description="1 for the best.")
    place_id: int
    name: str = Field(description="What it is called; by default its photo's path in the folder.")
    similarity: float = Field(description="Cosine of the two descriptors, at most 1.")
    probability: float = Field(description="That it shows the photo's place.", ge=0, le=1)
    verified: VerifiedReply | None = Field(description="null where no verification was done.")
    position: PositionReply | None
    utm: UtmReply | None
    group: SpotReply | None = Field(
        default=None, description="null where no other photo is known to show the same spot."
    )
    heading: float | None = Field(
        default=None, description="Where the place's photo looks, degrees from north."
    )
    query_view: ViewReply | None = Field(
        default=None, description="The view of the panorama sent that shows it; null for others."
    )
    image_url: Address
    thumbnail_url: Address


class MatchReply(Reply):
    """Whether the photo's place is among those of the index."""

    verdict: Literal["found", "unsure", "not_found"]
    probability: float = Field(description="That of the first result; 0 for no results.")
    threshold: float = Field(description="The probability from which the verdict is found.")


class LocationReply(Reply):
    """The estimated position of the photo; null unless the verdict is found."""

    latitude: float
    longitude: float
    radius_m: float


class SearchReply(Reply):
    """The places that look most like the photo, best first."""

    index_id: str
    model: str = Field(description="The model's id.")
    query: QueryReply
    timings_ms: TimingsReply
    match: MatchReply
    results: list[ResultReply]
    location: LocationReply | None


class SimilarReply(Reply):
    """The places that look most like a place of the index, best first; none is verified."""

    index_id: str
    model: str = Field(description="The model's id.")
    place_id: int = Field(description="The place that they look like.")
    notes: list[str] = Field(description="Sentences about what was odd in the request.")
    reasons: list[ReasonReply | None] = Field(
        description="The notes as codes, in their order; null where one has none."
    )
    results: list[ResultReply]


class CompareReply(Reply):
    """Whether two photos show the same place."""

    similarity: float = Field(description="Cosine of the two descriptors, at most 1.")
    probability: float = Field(description="That both show the same place.")
    threshold: float = Field(description="The probability from which the result is same.")
    result: Literal["same", "different"]
    inliers: int = Field(description="Matching points, which agree on one arrangement; 0 for none.")
    matches: list[list[float]] = Field(
        description="Each x1, y1, x2, y2: pixels of the two photos as sent, upright."
    )
    model: str = Field(description="The model's id.")
    notes: list[str] = Field(description="Sentences about what was odd in the photos or the model.")
    photo_notes: list[str] = Field(description="Those of the notes that are about the photos.")
    photo_reasons: list[ReasonReply | None] = Field(
        description="photo_notes as codes, in their order; null where one has none."
    )


class SkippedPhotoReply(Reply):
    """A photo that could not be indexed."""

    name: str
    reason: str
    code: ReasonReply | None = Field(description="The reason as a code; null where it has none.")


class SkippedReply(Reply):
    """The photos that could not be indexed."""

    count: int
    photos: list[SkippedPhotoReply] = Field(description="The first hundred.")


class IndexReply(Reply):
    """The facts of the index that the server searches."""

    index_id: str
    model: str = Field(description="The model's id.")
    fingerprint: str = Field(description="Of the model's weights, preprocessing and precision.")
    precision: str = Field(description="Of the descriptors, and of those of queries: f32 or int8.")
    places: int
    positions: int = Field(description="The number of places that have a position.")
    dims: int = Field(description="Numbers in a descriptor.")
    created: str = Field(description="When the index was built, ISO 8601.")
    format_version: int
    skipped: SkippedReply
    fields: dict[str, str] = Field(
        default_factory=dict,
        description="The index's own fields: text, number, boolean or date by name.",
    )
    tags: dict[str, int] = Field(
        default_factory=dict, description="Tags, with the number of places that have each."
    )


class ServedIndexReply(Reply):
    """An index of the server."""

    name: str = Field(description="All of /v1 is below /v1/indexes/NAME too.")
    status: Literal["loading", "ready", "removed", "outdated"] = Field(
        description="loading, ready, removed (its folder has gone; it answers from what it has "
        "open) or outdated (a newer version cannot be opened)."
    )
    index_id: str | None
    places: int | None
    model: str | None
    changes: Literal["allowed", "needs_key", "never"] = Field(
        default="never",
        description="Whether you may change it: allowed, needs_key of the role write, or never: "
        "the server was started without --writable, or the index was removed beside it.",
    )


class IndexesReply(Reply):
    """The server's indexes; the first is that of addresses without a name."""

    indexes: list[ServedIndexReply]


class PointReply(Reply):
    """A point, as GeoJSON writes it."""

    type: Literal["Point"]
    coordinates: tuple[float, float] = Field(description="Longitude, latitude in degrees.")


class DotPropertiesReply(Reply):
    """The place at a dot, and the number of places that the dot stands for."""

    place_id: int
    name: str
    count: int = Field(description="Places that the dot stands for, itself included.")


class DotReply(Reply):
    """A place on the map."""

    type: Literal["Feature"]
    geometry: PointReply
    properties: DotPropertiesReply


class DotsReply(Reply):
    """The places of a box of the map, as a GeoJSON FeatureCollection."""

    type: Literal["FeatureCollection"]
    places: int = Field(description="The number of places in the box.")
    features: list[DotReply]


class SizeReply(Reply):
    """The size of a photo in pixels."""

    width: int
    height: int


class GridReply(Reply):
    """The backbone's grid of cells."""

    columns: int
    rows: int


class ExplainReply(Reply):
    """The model's steps from a photo to its descriptor."""

    model: str = Field(description="The model's id.")
    photo: SizeReply = Field(description="The upright photo as sent.")
    seen: SizeReply = Field(description="The input of the network.")
    grid: GridReply
    clusters: int = Field(description="Clusters of the vocabulary.")
    channels: int = Field(description="Numbers in a cell.")
    dims: int = Field(description="Numbers in the descriptor.")
    assignment: list[list[int]] = Field(
        description="The cluster that has the largest share in each cell, row by row from the top."
    )
    cluster_norms: list[float] = Field(description="The length of each cluster's part of the sums.")
    sums: list[list[float]] = Field(
        description="What each cluster sums up of the cells, of length 1 in all. The descriptor is "
        "the same numbers one after another, or what a whitening makes of them."
    )
    descriptor: list[float]


class ModelReply(Reply):
    """The facts of the server's model, from its card."""

    id: str
    title: str
    family: str
    backbone: str
    clusters: int | None = Field(description="Clusters of the NetVLAD vocabulary, if it has one.")
    channels: int | None = Field(description="Numbers in a local feature, if it gives them.")
    dims: int = Field(description="Numbers in the descriptor.")
    photo_side: int = Field(
        description="Pixels of a photo's longer side that are enough, twice those that it takes."
    )
    stride: int | None = Field(description="Pixels from one local feature to the next.")
    whitened: bool
    licence: str
    fitted: str | None = Field(description="The origin of the weights, where the card names it.")


class ReportReply(Reply):
    """The figures of an evaluation; shares are in per cent."""

    name: str = Field(description="The name of its folder; its page is at /reports/NAME/.")
    created: str = Field(description="When it was written, ISO 8601.")
    truth: str = Field(description="The ground truth of the evaluation.")
    protocol: str = Field(description="The rule for the candidates and right places of a query.")
    model: str = Field(description="The model's id.")
    queries: int
    database: int = Field(description="Photos that were searched.")
    recall: dict[str, float] = Field(description="By N: queries with a right place in the first N.")
    chance: dict[str, float] = Field(description="By N: the recall of results drawn at random.")


class LiveReply(Reply):
    """The answer of a process that is alive."""

    status: str = "alive"


class ReadyReply(Reply):
    """Index and model are loaded; clients that may not read the index get the status only."""

    status: str = "ready"
    index_id: str | None = None
    model: str | None = None
    places: int | None = None
    refused: str | None = Field(
        default=None,
        description="That the index was removed, or a newer version cannot be opened.",
    )
    damaged: str | None = Field(
        default=None, description="That a file of the index is damaged; the log says which."
    )
