"""Opening a source of photos of any kind."""

from pathlib import Path
from typing import Any

from place_search.core.geodesy import is_on_earth
from place_search.core.plugins import load_part, part_names
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.gpx import GpxTrack
from place_search.indexer.sources.gpx_positions import place_by_gpx
from place_search.indexer.sources.panoramas import cut_panoramas
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.sources.video_request import VideoRequest
from place_search.indexer.sources.walk import is_photo
from place_search.indexer.storage.manifest import holds_index

KINDS = "place_search.indexer.sources.kinds"


def open_source(data: Path, root: Path | None = None, video: VideoRequest | None = None) -> Source:
    """List the photos of a folder, those that a list names, or the database of a split.

    The photos of a split (`.mat`, `.npz`), a text or a model are under `root`, by default in their
    usual folder; a folder, a CSV file and a video take no root. `video` says which frames of a
    video are taken, and is needed for videos; its GPX track gives positions to photos too, and
    panoramas are cut into views.

    Raises:
        VideoError: a video that cannot be read.
        SourceError: there is no photo to index, or the list is wrong, also that of a plugin.
    """
    data = Path(data)
    if not data.exists():
        raise SourceError(f"{data} does not exist; give a folder of photos, a list or a video.")
    if not data.is_dir() and not data.is_file():
        raise SourceError(f"{data} is a pipe or device; give a folder of photos, or a file.")
    if holds_index(data):
        raise SourceError(f"{data} is an index and holds no photos; name the folder of the photos.")
    kinds = {name: load_part(KINDS, name) for name in part_names(KINDS)}
    for name, kind in sorted(kinds.items(), key=_turn):
        if kind.reads(data):
            if root is not None and getattr(kind, "HOLDS_ROOT", hasattr(kind, "extract")):
                raise SourceError(
                    f"{data} says itself where its photos are, so that a root makes no sense; "
                    "leave it out."
                )
            source: Source
            if hasattr(kind, "extract"):
                source = kind.extract(data, video)
            elif video is not None and video.is_for_video:
                raise SourceError(
                    f"{data} is no video, so which frames to take, and when they start, makes no "
                    "sense; leave that out."
                )
            else:
                source = kind.read(data, root)
                if video is not None and video.gpx is not None:
                    source = place_by_gpx(source, GpxTrack(video.gpx), video.clock_offset_s)
            if not _is_own(kind):
                _require_usable(source, data, name)
            return source if video is None else cut_panoramas(source, video)
    if is_photo(data):
        raise SourceError(
            f"{data} is a single photo; give its folder, or a CSV list that names the photo."
        )
    raise SourceError(
        f"{data} is of no kind that is known; give "
        f"{', or '.join(kind.ACCEPTS for kind in kinds.values())}."
    )


def _turn(part: tuple[str, Any]) -> tuple[bool, bool]:
    """When a kind is asked: the one that takes any folder last, others before those of here.

    The kinds of here take all files of an ending, such as .txt or .csv.
    """
    kind = part[1]
    return bool(getattr(kind, "TAKES_ANY_FOLDER", False)), _is_own(kind)


def _is_own(kind: Any) -> bool:
    return str(getattr(kind, "__name__", "")).startswith(KINDS)


def _require_usable(source: Source, data: Path, name: str) -> None:
    """Refuse a source without photos, or with positions off the Earth, of another distribution."""
    if not source.photos:
        raise SourceError(f"The part {name} of {KINDS} lists no photos of {data}; give another.")
    for photo in source.photos:
        if photo.position is not None and not is_on_earth(photo.position):
            latitude, longitude = photo.position
            raise SourceError(
                f"The part {name} of {KINDS} gives {photo.name} the position {latitude:g}, "
                f"{longitude:g}, which is not on Earth; mend what it reads, or the part."
            )
