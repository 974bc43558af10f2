"""360° panoramas among the photos of a source: each is indexed as the views that it is cut into.

Views are JPEGs in the folder `INDEX-views` beside the index, so that they are read like any other
photo of a place. An unchanged panorama is not cut again.
"""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

from place_search.core.files import read_regular, write_whole
from place_search.core.progress import Progress
from place_search.core.text import parse_json
from place_search.indexer.errors import IndexWriteError
from place_search.indexer.pipeline import stored_path
from place_search.indexer.places import PlacePhoto
from place_search.indexer.sources.kept_views import (
    MARK,
    panorama_folder,
    view_name,
    views_folder,
)
from place_search.indexer.sources.photo_list import PhotoList, Source
from place_search.indexer.sources.video_request import VideoRequest
from place_search.indexer.storage.added_folders import Adding
from place_search.photos import PhotoError, encode_jpeg, read_capture_time
from place_search.photos.decoding import inspect_position
from place_search.photos.panorama import (
    LEAST_WIDTH,
    PARTLY,
    VIEW_QUALITY,
    VIEW_SIZE,
    VIEWS,
    Inspection,
    Panorama,
    inspect_panorama,
    read_views,
)

_CUTTERS = min(4, os.cpu_count() or 1)
_AHEAD = 64
"""The number of photos that are inspected at once."""


def cut_panoramas(source: Source, request: VideoRequest) -> Source:
    """The source with its panoramas replaced by their views.

    A view is named by its panorama and its direction, as `a.jpg#heading=045`, or `#yaw=045` from
    the panorama's middle where the panorama has no heading. It has the panorama's position and
    time. Panoramas that cannot be cut stay as they are.

    Raises:
        IndexWriteError: views cannot be written.
    """
    if request.panoramas == "off" or (request.panoramas == "auto" and source.kind == "video"):
        return source
    root = source.root if request.root is None else request.root
    cutter = _Cutter(root, views_folder(request.index), request.panoramas == "2:1")
    photos = PhotoList(source.root)
    photo_names: dict[str, list[str]] = {}
    cut_count = 0
    for photo, (inspection, views) in cutter.all(source.photos, request.progress):
        notes = [*inspection.notes, *(inspection.panorama.notes if inspection.panorama else ())]
        if inspection.is_unmarked:
            notes.append(_UNMARKED)
        if inspection.panorama is None or not views:
            notes += [PARTLY] if views is not None and inspection.panorama else []
            photos.append_as(stored_path(photo.path, source.root), photo)
        else:
            cut_count += 1
            notes += _append_views(photos, photo, inspection.panorama, views)
        for note in notes:
            photo_names.setdefault(note, []).append(photo.name)
    warnings = [
        *source.warnings,
        *(_note_with_names(note, names) for note, names in photo_names.items()),
    ]
    if not cut_count:
        if cutter.assumed and source.photos and not photo_names:
            warnings.append(_NONE_CUT)
        return replace(source, warnings=tuple(warnings))
    return replace(
        source,
        photos=photos,
        warnings=tuple(warnings),
        panoramas=cut_count,
        centres=None,
        adding=(*source.adding, cutter.adding),
    )


_UNMARKED = (
    "twice as wide as high, as 360° panoramas are, but the metadata does not call it one, so it is "
    "taken as one plain photo; --panoramas 2:1 cuts such photos into views"
)
_NONE_CUT = (
    "None of the photos was cut into views: none is equirectangular by its metadata, or twice as "
    f"wide as high and at least {LEAST_WIDTH:,} pixels wide."
)


def _note_with_names(note: str, names: Sequence[str]) -> str:
    """A note with the names of its photos."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}: {note.rstrip('.')}."


def _append_views(
    photos: PhotoList, photo: PlacePhoto, panorama: Panorama, views: dict[int, Path]
) -> list[str]:
    """Add the views of a panorama. Returns notes on oddities of its position."""
    position, taken = photo.position, photo.taken
    if photo.heading is not None:
        panorama = replace(panorama, heading=photo.heading)
    notes: tuple[str, ...] = ()
    if not photo.is_placed:
        position, notes = inspect_position(photo.path)
    if taken is None:
        taken = read_capture_time(photo.path)
    for number, path in views.items():
        facing = panorama.facing(number)
        photos.append_as(
            str(path),
            photo,
            name=f"{photo.name}#{facing}",
            position=position,
            taken=taken,
            heading=facing.heading,
        )
    return list(notes)


_CutPhoto: TypeAlias = tuple[Inspection, dict[int, Path] | None]
"""The inspection of a photo, and the files of its views by number; None where it is not cut."""


@dataclass(frozen=True)
class _Cutter:
    """Cuts panoramas, and writes their views into `folder`, by the panoramas' paths under `root`.

    With `assumed`, photos of 2:1 without metadata count as panoramas.
    """

    root: Path
    folder: Path
    assumed: bool
    marking: Lock = field(default_factory=Lock)
    """Lets one thread at a time prepare the folder."""

    @cached_property
    def adding(self) -> Adding:
        """Keeps the views from being deleted; made when the first panorama is cut."""
        adding = Adding(self.folder.parent)
        if self.folder.parent.exists() and not (self.folder.parent / MARK).exists():
            write_whole(self.folder.parent / MARK, b"{}")
        return adding

    def all(
        self, photos: Sequence[PlacePhoto], progress: Progress
    ) -> Iterator[tuple[PlacePhoto, _CutPhoto]]:
        """Each photo with the result of `cut_photo`, in the photos' order."""
        any_cut = False
        with ThreadPoolExecutor(_CUTTERS, thread_name_prefix="panorama") as pool:
            for start in range(0, len(photos), _AHEAD):
                batch = photos[start : start + _AHEAD]
                for photo, cut in zip(batch, pool.map(self.cut_photo, batch), strict=True):
                    any_cut |= bool(cut[1])
                    yield photo, cut
                if any_cut:
                    progress("Cutting panoramas", start + len(batch), len(photos))

    def cut_photo(self, photo: PlacePhoto) -> _CutPhoto:
        """Cut a photo, if it is a panorama.

        Raises:
            IndexWriteError: its views cannot be written.
        """
        inspection = inspect_panorama(photo.path, assumed=self.assumed)
        if inspection.panorama is None:
            return inspection, None
        try:
            return inspection, self._views(photo.path, inspection.panorama)
        except PhotoError:  # indexing the photo reports the error
            return inspection, None
        except OSError as error:
            raise IndexWriteError(
                f"Views of panoramas cannot be kept in {self.folder} ({error.strerror}); mend "
                "that, and the same command goes on."
            ) from error

    def _views(self, path: Path, panorama: Panorama) -> dict[int, Path]:
        """The files of a panorama's views, which are cut unless they exist; there may be none.

        Raises:
            PhotoError: the panorama cannot be read.
            OSError: a view cannot be written.
        """
        status = path.stat()
        pose = replace(panorama, heading=None, notes=())
        identity = (
            f"{status.st_size} {status.st_mtime_ns} {pose} {VIEWS} {VIEW_SIZE} {VIEW_QUALITY}"
        )
        folder = panorama_folder(self.folder, stored_path(path, self.root))
        files = {number: folder / view_name(number) for number in range(VIEWS)}
        with self.marking:
            adding = self.adding
        mark = _read_mark(folder)
        if mark.get("views_of") == identity:
            existing = {number: files[number] for number in mark["numbers"] if number in files}
            if all(file.is_file() for file in existing.values()):
                return existing
        jpegs = {}
        for view in read_views(path, panorama).views:
            assert view.facing is not None  # noqa: S101 - each view has it
            jpeg = encode_jpeg(view.pixels, VIEW_SIZE, quality=VIEW_QUALITY)
            jpegs[round(view.facing.yaw * VIEWS / 360)] = jpeg
        new_mark = {"views_of": identity, "numbers": list(jpegs)}
        adding.note(folder.relative_to(self.folder).as_posix())
        folder.mkdir(parents=True, exist_ok=True)
        for number, jpeg in jpegs.items():
            write_whole(files[number], jpeg)
        write_whole(folder / MARK, json.dumps(new_mark).encode())
        return {number: files[number] for number in jpegs}


def _read_mark(folder: Path) -> dict[str, Any]:
    """The mark of a folder of views; empty where it is missing or broken."""
    try:
        mark = parse_json(read_regular(folder / MARK))
    except (OSError, ValueError):
        return {}
    whole = isinstance(mark, dict) and isinstance(mark.get("numbers"), list)
    return mark if whole else {}
