"""The answers of a search, a comparison and an index, as plain data.

`to_dict` of each is the answer of the HTTP API, and the output of `--json`.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from html import escape
from typing import Any, Literal

from place_search.core.geodesy import Position, Utm
from place_search.core.html import html_table
from place_search.core.text import iso_time
from place_search.indexer import Index, IndexFormatError, IndexReadError, Place, UnknownPlaceError
from place_search.photos.photo import Facing
from place_search.search.location import Location
from place_search.search.probability import Match
from place_search.search.reasons import reason_dict
from place_search.search.stages import Stages
from place_search.search.thumbnails import Thumbnails

SKIPPED_SHOWN = 100
"""The largest number of skipped photos that the facts of an index name."""


COLUMNS = (
    *("rank", "place_id", "name", "similarity", "probability", "inliers"),
    *("latitude", "longitude"),
)
"""The columns of a table of results."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The geometric agreement of photo and place: its number of inliers, and its score."""

    inliers: int
    score: float


@dataclass(frozen=True, slots=True)
class Spot:
    """The group that a place is in: its name if any, and its number of `photos` of one spot."""

    id: int
    name: str | None
    photos: int


@dataclass(frozen=True, slots=True)
class Result:
    """A place that looks like the photo: rank 1 is the best, `similarity` a cosine.

    `probability` is that it shows the photo's place. `verified` is None where the place was not
    verified, `group` where no other photo of the index shows the same spot, or the index has no
    groups. `heading` is the direction of the place's photo, in degrees from north; `query_view` the
    view of a panorama that shows the place, None for a query that is no panorama.
    """

    rank: int
    place_id: int
    name: str
    similarity: float
    probability: float
    verified: Verified | None
    position: Position | None
    utm: Utm | None
    group: Spot | None = None
    heading: float | None = None
    query_view: Facing | None = None

    def to_row(self) -> dict[str, Any]:
        """The values of `COLUMNS`."""
        inliers = None if self.verified is None else self.verified.inliers
        latitude, longitude = self.position or (None, None)
        values = (self.rank, self.place_id, self.name, self.similarity, self.probability, inliers)
        return dict(zip(COLUMNS, (*values, latitude, longitude), strict=True))


@dataclass(frozen=True, slots=True)
class QueryPhoto:
    """The facts of a query photo: its upright size in pixels, its position, and `notes` on it.

    `views` are the views of a panorama.
    """

    width: int
    height: int
    position: Position | None
    notes: tuple[str, ...]
    views: tuple[Facing, ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """The duration of each stage in milliseconds."""

    queue: float = 0.0
    decode: float = 0.0
    embed: float = 0.0
    search: float = 0.0
    verify: float = 0.0
    total: float = 0.0

    @classmethod
    def of(cls, stages: Stages) -> "Timings":
        """The durations of a request's stages until now."""
        durations = stages.milliseconds() | {"total": stages.total_ms()}
        return cls(**{stage.name: durations.get(stage.name, 0.0) for stage in fields(cls)})


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The places that look most like a photo, best first, and whether its own is among them.

    `location`, the estimate of the photo's position, is None unless the verdict of `match` is
    "found".
    """

    index_id: str
    model: str
    query: QueryPhoto
    timings_ms: Timings
    match: Match
    results: tuple[Result, ...]
    location: Location | None
    thumbnails: Thumbnails = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The answer of POST /v1/search."""
        return {
            "index_id": self.index_id,
            "model": self.model,
            "query": {
                "width": self.query.width,
                "height": self.query.height,
                "position": _degrees(self.query.position),
                "notes": list(self.query.notes),
                "views": [view._asdict() for view in self.query.views],
                "reasons": list(map(reason_dict, self.query.notes)),
            },
            "timings_ms": asdict(self.timings_ms),
            "match": self.match._asdict(),
            "results": [result_dict(result, self.index_id) for result in self.results],
            "location": None if self.location is None else location_dict(self.location),
        }

    def to_columns(self) -> dict[str, list[Any]]:
        """A column for each field of the results, as `pandas.DataFrame` takes them."""
        return columns_of(self.results)

    def _repr_html_(self) -> str:
        """The results with their thumbnails, for notebooks."""
        return html_table(self.to_columns(), [self.thumbnail(row) for row in self.results])

    def thumbnail(self, result: Result) -> str:
        """A place's thumbnail as HTML that needs no server, empty where the place was removed."""
        try:
            jpeg = base64.b64encode(self.thumbnails.of(result.place_id)).decode()
        except (UnknownPlaceError, IndexFormatError, IndexReadError):
            return ""
        name = escape(result.name, quote=True)
        return f'<img src="data:image/jpeg;base64,{jpeg}" alt="{name}" height="96">'


@dataclass(frozen=True, slots=True)
class SearchTable:
    """The answers to several photos, a row each: the verdict and the first result."""

    answers: tuple[SearchResult, ...]

    def to_columns(self) -> dict[str, list[Any]]:
        """A column for each field, as `pandas.DataFrame` takes them; `photo` counts from 0."""
        rows = [answer.results[0].to_row() if answer.results else {} for answer in self.answers]
        return {
            "photo": list(range(len(rows))),
            "verdict": [answer.match.verdict for answer in self.answers],
            **{name: [row.get(name) for row in rows] for name in COLUMNS if name != "rank"},
        }

    def _repr_html_(self) -> str:
        """The first results with their thumbnails, for notebooks."""
        pictures = [
            answer.thumbnail(answer.results[0]) if answer.results else "" for answer in self.answers
        ]
        return html_table(self.to_columns(), pictures)


@dataclass(frozen=True, slots=True)
class CompareResult:
    """Whether two photos show the same place.

    `result` is "same" from the probability `threshold` on. `matches` are the matching points, x1,
    y1, x2, y2 each: pixels of the two upright photos as given.
    """

    similarity: float
    probability: float
    threshold: float
    result: Literal["same", "different"]
    inliers: int
    matches: tuple[tuple[float, float, float, float], ...] = field(repr=False)
    model: str
    notes: tuple[str, ...]
    photo_notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The answer of POST /v1/compare."""
        return {
            **asdict(self),
            "matches": [list(match) for match in self.matches],
            "notes": list(self.notes),
            "photo_notes": list(self.photo_notes),
            "photo_reasons": list(map(reason_dict, self.photo_notes)),
        }

    def to_columns(self) -> dict[str, list[float]]:
        """The matching points as `pandas.DataFrame` takes them: columns x1, y1, x2, y2."""
        return {
            name: [match[at] for match in self.matches]
            for at, name in enumerate(("x1", "y1", "x2", "y2"))
        }

    def _repr_html_(self) -> str:
        """The verdict and its figures, for notebooks."""
        shown = ("result", "probability", "threshold", "similarity", "inliers")
        return html_table({name: [getattr(self, name)] for name in shown})


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """The facts of an index: `positions` counts places that have one, `dims` is a descriptor's."""

    index_id: str
    model: str
    fingerprint: str
    precision: str
    places: int
    positions: int
    dims: int
    created: str
    format_version: int
    skipped_count: int
    skipped: tuple[tuple[str, str], ...]
    """The first photos that could not be indexed: name and reason."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """The index's own fields, name by type."""
    tags: Mapping[str, int] = field(default_factory=dict)
    """The tags of places, with the number of places that have each."""

    def to_dict(self) -> dict[str, Any]:
        """The answer of GET /v1/index."""
        table = asdict(self)
        count = table.pop("skipped_count")
        photos = [
            {"name": name, "reason": reason, "code": reason_dict(reason)}
            for name, reason in self.skipped
        ]
        return {**table, "skipped": {"count": count, "photos": photos}}


def index_info(index: Index, positions: int) -> IndexInfo:
    """The facts of an index, `positions` of whose places have a position."""
    manifest = index.manifest
    return IndexInfo(
        index_id=index.index_id,
        model=index.model_id,
        fingerprint=index.fingerprint,
        precision=index.precision,
        places=index.count,
        positions=positions,
        dims=index.dims,
        created=manifest.created,
        format_version=manifest.format_version,
        skipped_count=len(manifest.skipped),
        skipped=tuple((name, reason) for name, reason in manifest.skipped[:SKIPPED_SHOWN]),
        fields=index.edits.fields,
        tags=index.tags(),
    )


def spot_of(index: Index, place_id: int) -> Spot | None:
    """The group of a place, None where it is alone and has no name."""
    groups = index.groups
    group = groups.of(place_id)
    if group is None:
        return None
    name, photos = groups.name(group), len(groups.members(group))
    return Spot(group, name, photos) if photos > 1 or name else None


def columns_of(results: Sequence[Result]) -> dict[str, list[Any]]:
    """A column for each of `COLUMNS`, with a value for each result."""
    rows = [result.to_row() for result in results]
    return {name: [row[name] for row in rows] for name in COLUMNS}


def result_dict(result: Result, index_id: str) -> dict[str, Any]:
    """A result as the API gives it."""
    return {
        "rank": result.rank,
        "place_id": result.place_id,
        "name": result.name,
        "similarity": result.similarity,
        "probability": result.probability,
        "verified": None if result.verified is None else asdict(result.verified),
        "position": _degrees(result.position),
        "utm": None if result.utm is None else result.utm._asdict(),
        "group": _spot_dict(result.group),
        "heading": result.heading,
        "query_view": None if result.query_view is None else result.query_view._asdict(),
        **addresses(result.place_id, index_id),
    }


def place_dict(place: Place, index_id: str) -> dict[str, Any]:
    """The answer of GET /v1/places/{id}."""
    return {
        "place_id": place.place_id,
        "name": place.name,
        "position": _degrees(place.position),
        "utm": None if place.utm is None else place.utm._asdict(),
        "taken": None if place.taken is None else iso_time(place.taken),
        "heading": place.heading,
        "note": place.note,
        "tags": list(place.tags),
        "fields": dict(place.fields),
        **addresses(place.place_id, index_id),
    }


def listed_dict(place: Place, index: Index) -> dict[str, Any]:
    """A place of the answer of GET /v1/places."""
    group = _spot_dict(spot_of(index, place.place_id))
    return place_dict(place, index.index_id) | {"group": group}


def _spot_dict(spot: Spot | None) -> dict[str, Any] | None:
    return None if spot is None else asdict(spot)


def location_dict(location: Location) -> dict[str, float]:
    """A location as the API gives it."""
    latitude, longitude = location.position
    return {
        "latitude": round(latitude, 7),
        "longitude": round(longitude, 7),
        "radius_m": round(location.radius_m, 1),
    }


def addresses(place_id: int, index_id: str) -> dict[str, str]:
    """The addresses of a place's photo and of its thumbnail on a server."""
    return {
        "image_url": f"/v1/places/{place_id}/image",
        "thumbnail_url": f"/v1/places/{place_id}/thumbnail?v={index_id}",
    }


def _degrees(position: Position | None) -> dict[str, float] | None:
    return None if position is None else position._asdict()
