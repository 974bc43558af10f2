"""Photos whose places were removed by hand: `sync` leaves them out, under another name too."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import FileStamp, changed_ns, sha256_of
from place_search.indexer.changes.change import Change
from place_search.indexer.pipeline import stored_path
from place_search.indexer.sources.kept_views import panorama_of, path_in_source
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.manifest import ForgottenPhotos


def forgotten_with(change: Change, place_ids: NDArray[np.int64]) -> ForgottenPhotos:
    """The forgotten photos once these places are removed, but for photos that a server keeps."""
    kept_photos, root = KeptPhotos(change.folder), change.manifest.root
    contents = change.contents
    rows = np.searchsorted(contents.rows.place_ids, place_ids).tolist()
    return {
        **change.manifest.forgotten,
        **{
            stored_path(path, root): FileStamp(
                contents.content(row).hex(), int(contents.rows.value("size", row))
            )
            for row, path in zip(rows, change.paths(place_ids), strict=True)
            if not kept_photos.holds(path)
        },
    }


def listed_forgotten_photos(
    contents: Contents, source: Source, root: Path, forgotten: ForgottenPhotos
) -> dict[str, FileStamp | None]:
    """The photos of a source that are `forgotten`, by their stored path.

    A photo is recognised by its content, whatever its name. It is read only if a forgotten photo
    has its size, unless size and time of the photo at its path are known. The path alone counts
    where no stamp was noted, and for panoramas: a panorama is forgotten with all of its views.
    """
    if not forgotten:
        return {}
    stamps = {stamp for stamp in forgotten.values() if stamp}
    sizes = {stamp.bytes for stamp in stamps}
    indexed = {path: row for row, path in enumerate(contents.column("path").tolist())}
    panoramas = {_panorama(path) for path in forgotten} - {""}
    if panoramas:
        panoramas -= {_panorama(os.fsdecode(path)) for path in indexed}
    removed = _removed_photos(contents, forgotten)
    listed: dict[str, FileStamp | None] = {}
    for photo in source.photos:
        path = stored_path(photo.path, root)
        panorama, noted = _panorama(path), forgotten.get(path)
        by_path = path in forgotten and (noted is None or panorama)
        if by_path or path in panoramas or panorama in forgotten:
            listed[path] = noted or _stamp(photo.path)
            continue
        row = indexed.get(os.fsencode(path))
        if row is not None and _is_untouched(contents, row, photo.path):
            continue
        is_unchanged = (
            row is None and path in removed and _size_and_time(photo.path) == removed[path]
        )
        stamp = noted if is_unchanged else _stamp(photo.path, sizes)
        if stamp and stamp in stamps and (stamp == noted or not _holds_photo(contents, stamp)):
            listed[path] = stamp
    return listed


def forgotten_without(
    forgotten: ForgottenPhotos, listed: Mapping[str, FileStamp | None]
) -> ForgottenPhotos:
    """The photos that stay forgotten once `listed` photos, by path and content, are added again."""
    stamps = {stamp for stamp in listed.values() if stamp}
    paths = {*listed, *map(_panorama, listed)} - {""}
    return {
        path: stamp
        for path, stamp in forgotten.items()
        if path not in paths and _panorama(path) not in paths and stamp not in stamps
    }


def _panorama(path: str) -> str:
    """The stored path of the panorama that a stored path is a view of; "" where it is of none."""
    return os.fsdecode(path_in_source(panorama_of(os.fsencode(path))))


def _removed_photos(contents: Contents, forgotten: ForgottenPhotos) -> dict[str, tuple[int, int]]:
    """Size and time of forgotten photos by path, as far as shards still hold their places."""
    size_and_time, rows = {}, contents.rows
    for place_id in contents.manifest.removed_ids.tolist():
        path = os.fsdecode(rows.stored_value("path", place_id))
        stamp = forgotten.get(path)
        if stamp and rows.stored_value("content", place_id).tobytes().hex() == stamp.sha256:
            size, time = (rows.stored_value(key, place_id) for key in ("size", "mtime_ns"))
            size_and_time[path] = int(size), int(time)
    return size_and_time


def _size_and_time(photo: Path) -> tuple[int, int] | None:
    """The size and time of a photo; None where the file does not exist."""
    try:
        status = photo.stat()
    except OSError:
        return None
    return status.st_size, changed_ns(status)


def _is_untouched(contents: Contents, row: int, photo: Path) -> bool:
    """Whether a photo has the size and time of the photo that a row was made from."""
    try:
        return contents.is_made_from(row, photo, by_content=False) is True
    except OSError:
        return False


def _stamp(photo: Path, sizes: set[int] | None = None) -> FileStamp | None:
    """The hash and size of a photo; None without a file, or where its size is not in `sizes`."""
    try:
        size = photo.stat().st_size
        is_candidate = sizes is None or size in sizes
        return FileStamp(sha256_of(photo), size) if is_candidate else None
    except OSError:
        return None


def _holds_photo(contents: Contents, stamp: FileStamp) -> bool:
    """Whether a place of the index has a photo of this content."""
    return bool(contents.rows_holding({bytes.fromhex(stamp.sha256)}))
