"""A track as a file: a table, JSON, a map's line, a GPS track, or a video of frames and places."""

import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from place_search.core.files import first_bytes, replacing, telling_unwritable, write_whole
from place_search.core.row_files import is_collection_of
from place_search.core.tables import table_text
from place_search.core.text import encodable
from place_search.indexer import Index
from place_search.models import Model
from place_search.photos.photo import resize_pixels
from place_search.photos.video import comment_of, write_video
from place_search.search.tracks.inputs import TrackInput
from place_search.search.tracks.located import COLUMNS, LocatedFrame
from place_search.search.tracks.track import Track

VIDEO = ".mp4"
_CREATOR = "place-search"
_GPX = "http://www.topografix.com/GPX/1/1"
_HEIGHT = 360
"""The height of the pictures in a video, in pixels."""
_PHOTOS_A_SECOND = 2.0
_HALF_TURN = 180.0
"""Half a turn, in degrees of longitude."""

Pixels = NDArray[np.uint8]


def write_track(track: Track, out: Path, source: TrackInput, model: Model, index: Index) -> None:
    """Write a track among the places of `index` in the format of the file's ending; see `FORMATS`.

    Raises:
        PlaceSearchError: the file cannot be written.
    """
    with telling_unwritable(out):
        if out.suffix.lower() == VIDEO:
            with replacing(out) as part:
                pictures = _pictures(track, source, model, index)
                write_video(part, pictures, _rate(track.frames), comment=_CREATOR)
        else:
            write_whole(out, encodable(FORMATS[out.suffix.lower()](track)).encode())


def is_track(path: Path) -> bool:
    """Whether a file holds a track in the format that its ending names."""
    ending = path.suffix.lower()
    if ending == VIDEO:
        return comment_of(path) == _CREATOR
    head = first_bytes(path)
    return {
        ".csv": head.startswith(table_text([COLUMNS]).encode()),
        ".json": head.startswith(b'{\n "index_id": ') and b'"standardized": ' in head,
        ".geojson": is_collection_of(b'"frame": ', head),
        ".gpx": f'creator="{_CREATOR}"'.encode() in head,
    }[ending]


def _csv(track: Track) -> str:
    rows: list[Sequence[object]] = [COLUMNS]
    for frame in track.frames:
        row = frame.to_row() | {"known": int(frame.known)}
        if frame.position is not None:
            row |= {name: f"{value:.7f}" for name, value in frame.position._asdict().items()}
        rows.append([*row.values()])
    return table_text(rows)


def _json(track: Track) -> str:
    return json.dumps(track.to_dict(), indent=1, ensure_ascii=False) + "\n"


def _geojson(track: Track) -> str:
    """A point for each frame, and a line for each stretch of a sequence at known places."""
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Point",
                "coordinates": [frame.position.longitude, frame.position.latitude],
            }
            if frame.position is not None
            else None,
            "properties": {
                key: value for key, value in frame.to_dict().items() if key != "position"
            },
        }
        for frame in track.frames
    ]
    for stretch in _stretches(track):
        line = [
            [frame.position.longitude, frame.position.latitude]
            for frame in stretch
            if frame.position is not None
        ]
        if len(line) > 1:
            features.append(
                {
                    "type": "Feature",
                    "geometry": _line(line),
                    "properties": {"first": stretch[0].frame, "last": stretch[-1].frame},
                }
            )
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"


def _line(points: Sequence[list[float]]) -> dict[str, Any]:
    """A line through [longitude, latitude]; cut at the 180th meridian (RFC 7946, section 3.1.9)."""
    parts = [[points[0]]]
    for (x1, y1), (x2, y2) in pairwise(points):
        if abs(x2 - x1) > _HALF_TURN:
            side = math.copysign(_HALF_TURN, x1)
            beyond = x2 + 2 * side  # the longitude of the second point on the side of the first
            crossing = y1 + (y2 - y1) * (side - x1) / (beyond - x1)
            parts[-1].append([side, crossing])
            parts.append([[-side, crossing]])
        parts[-1].append([x2, y2])
    if len(parts) > 1:
        return {"type": "MultiLineString", "coordinates": parts}
    return {"type": "LineString", "coordinates": parts[0]}


def _gpx(track: Track) -> str:
    """A track with a segment for each stretch at known places; frames of a video have times."""
    ElementTree.register_namespace("", _GPX)
    root = ElementTree.Element(f"{{{_GPX}}}gpx", {"version": "1.1", "creator": _CREATOR})
    drawn = ElementTree.SubElement(root, f"{{{_GPX}}}trk")
    start = datetime(1970, 1, 1, tzinfo=UTC)
    for stretch in _stretches(track):
        segment = ElementTree.SubElement(drawn, f"{{{_GPX}}}trkseg")
        for frame in stretch:
            if frame.position is None:
                continue
            coordinates = {
                "lat": f"{frame.position.latitude:.7f}",
                "lon": f"{frame.position.longitude:.7f}",
            }
            point = ElementTree.SubElement(segment, f"{{{_GPX}}}trkpt", coordinates)
            if frame.seconds is not None:
                time = (start + timedelta(seconds=frame.seconds)).isoformat(timespec="milliseconds")
                ElementTree.SubElement(point, f"{{{_GPX}}}time").text = time.replace("+00:00", "Z")
            ElementTree.SubElement(point, f"{{{_GPX}}}name").text = _xml_text(frame.name)
    text = ElementTree.tostring(root, encoding="unicode", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _xml_text(name: str) -> str:
    """A name without the characters that XML forbids."""
    return "".join(char if char >= " " and char not in "\ufffe\uffff" else "?" for char in name)


FORMATS: Mapping[str, Callable[[Track], str]] = {
    ".csv": _csv,
    ".json": _json,
    ".geojson": _geojson,
    ".gpx": _gpx,
}
"""The functions that write a track as text, by the ending of the file; a `VIDEO` is no text."""


def _stretches(track: Track) -> Iterator[list[LocatedFrame]]:
    """The longest runs of consecutive frames of one sequence at known places."""
    stretch: list[LocatedFrame] = []
    for frame in track.frames:
        if stretch and (not frame.known or frame.frame in track.starts):
            yield stretch
            stretch = []
        if frame.known and frame.position is not None:
            stretch.append(frame)
    if stretch:
        yield stretch


def _rate(frames: Sequence[LocatedFrame]) -> float:
    """The frames a second, at least 1, with which the video lasts as long as the tracked one."""
    last = frames[-1].seconds if frames else None
    return _PHOTOS_A_SECOND if not last else max((len(frames) - 1) / last, 1.0)


def _pictures(track: Track, source: TrackInput, model: Model, index: Index) -> Iterator[Pixels]:
    """The picture of each frame beside its place, grey where a photo is missing."""
    for located, frame in zip(track.frames, source.frames(model), strict=False):
        query = None if frame.photo is None else frame.photo.pixels
        place = None
        if located.place_id is not None:
            with Image.open(io.BytesIO(index.thumbnail(located.place_id))) as thumbnail:
                place = np.asarray(thumbnail.convert("RGB"))
        yield np.concatenate([_fitted(query), _fitted(place)], axis=1)


def _fitted(pixels: Pixels | None) -> Pixels:
    """A picture of fixed size with an image in its middle."""
    width = _HEIGHT * 4 // 3
    picture = np.full((_HEIGHT, width, 3), 40, np.uint8)
    if pixels is not None:
        scale = min(width / pixels.shape[1], _HEIGHT / pixels.shape[0])
        size = max(1, int(pixels.shape[1] * scale)), max(1, int(pixels.shape[0] * scale))
        resized = resize_pixels(pixels, size)
        left, top = (width - size[0]) // 2, (_HEIGHT - size[1]) // 2
        picture[top : top + size[1], left : left + size[0]] = resized
    return picture
