"""What a search, a comparison and an index say, as plain data.

`to_dict` of each gives what the HTTP API answers and `--json` prints.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Literal

from place_search.core.geodesy import Position, Utm
from place_search.indexer import Index, Place
from place_search.search.location import Location
from place_search.search.probability import Match

SKIPPED_SHOWN = 100
"""Photos that could not be indexed and are named in what is said of an index."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How well the geometry of photo and place agrees: the matching points, and the score."""

    inliers: int
    score: float


@dataclass(frozen=True, slots=True)
class Result:
    """A place that looks like the photo: rank 1 is the best, `similarity` a cosine.

    `probability` is that it shows the photo's place. `verified` is None where the place was not
    verified.
    """

    rank: int
    place_id: int
    name: str
    similarity: float
    probability: float
    verified: Verified | None
    position: Position | None
    utm: Utm | None


@dataclass(frozen=True, slots=True)
class QueryPhoto:
    """What was seen in the photo: its upright size in pixels, its position, what was odd in it."""

    width: int
    height: int
    position: Position | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds that each stage took."""

    queue: float = 0.0
    decode: float = 0.0
    embed: float = 0.0
    search: float = 0.0
    verify: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The places that look most like a photo, best first, and whether its own is among them.

    `location`, where the photo was taken, is there only where the verdict of `match` is "found".
    """

    index_id: str
    model: str
    query: QueryPhoto
    timings_ms: Timings
    match: Match
    results: tuple[Result, ...]
    location: Location | None
    index: Index = field(repr=False, compare=False)

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
            },
            "timings_ms": asdict(self.timings_ms),
            "match": self.match._asdict(),
            "results": [
                {
                    "rank": result.rank,
                    "place_id": result.place_id,
                    "name": result.name,
                    "similarity": result.similarity,
                    "probability": result.probability,
                    "verified": None if result.verified is None else asdict(result.verified),
                    "position": _degrees(result.position),
                    "utm": None if result.utm is None else result.utm._asdict(),
                    **addresses(result.place_id, self.index_id),
                }
                for result in self.results
            ],
            "location": None if self.location is None else location_dict(self.location),
        }

    def to_columns(self) -> dict[str, list[Any]]:
        """A column for each field of the results, as `pandas.DataFrame` takes them."""
        rows = self.results
        return {
            "rank": [row.rank for row in rows],
            "place_id": [row.place_id for row in rows],
            "name": [row.name for row in rows],
            "similarity": [row.similarity for row in rows],
            "probability": [row.probability for row in rows],
            "inliers": [None if row.verified is None else row.verified.inliers for row in rows],
            "latitude": [None if row.position is None else row.position.latitude for row in rows],
            "longitude": [None if row.position is None else row.position.longitude for row in rows],
        }

    def _repr_html_(self) -> str:
        """The results with their thumbnails, for notebooks."""
        return html_table(self.to_columns(), [self._thumbnail(row) for row in self.results])

    def _thumbnail(self, result: Result) -> str:
        jpeg = base64.b64encode(self.index.thumbnail(result.place_id)).decode()
        name = escape(result.name, quote=True)
        return f'<img src="data:image/jpeg;base64,{jpeg}" alt="{name}" height="96">'


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
        }


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What is searched. `positions` counts the places that have one; `dims` is the descriptor's."""

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

    def to_dict(self) -> dict[str, Any]:
        """The answer of GET /v1/index."""
        table = asdict(self)
        count = table.pop("skipped_count")
        photos = [{"name": name, "reason": reason} for name, reason in self.skipped]
        return {**table, "skipped": {"count": count, "photos": photos}}


def index_info(index: Index, positions: int) -> IndexInfo:
    """What there is to say of an index, of whose places so many have a position."""
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
    )


def place_dict(place: Place, index_id: str) -> dict[str, Any]:
    """The answer of GET /v1/places/{id}."""
    return {
        "place_id": place.place_id,
        "name": place.name,
        "position": _degrees(place.position),
        "utm": None if place.utm is None else place.utm._asdict(),
        **addresses(place.place_id, index_id),
    }


def location_dict(location: Location) -> dict[str, float]:
    """A location as the API gives it."""
    latitude, longitude = location.position
    return {
        "latitude": round(latitude, 7),
        "longitude": round(longitude, 7),
        "radius_m": round(location.radius_m, 1),
    }


def addresses(place_id: int, index_id: str) -> dict[str, str]:
    """Where a server shows a place's photo and its thumbnail."""
    return {
        "image_url": f"/v1/places/{place_id}/image",
        "thumbnail_url": f"/v1/places/{place_id}/thumbnail?v={index_id}",
    }


def html_table(columns: Mapping[str, Sequence[Any]], pictures: Sequence[str] = ()) -> str:
    """Columns as an HTML table, with a picture before each row if there are any."""
    head = "".join(f"<th>{escape(name)}</th>" for name in ([""] if pictures else []) + [*columns])
    rows = zip(*columns.values(), strict=True)
    body = ""
    for number, row in enumerate(rows):
        cells = [pictures[number]] if pictures else []
        cells += ["" if cell is None else escape(str(cell)) for cell in row]
        body += f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _degrees(position: Position | None) -> dict[str, float] | None:
    return None if position is None else position._asdict()
