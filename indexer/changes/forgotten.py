"""Photos whose places were removed by hand: `sync` leaves them out, under another name too."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import FileStamp, sha256_of
from place_search.indexer.changes.change import Change
from place_search.indexer.pipeline import stored_path
from place_search.indexer.sources.kept_views import panorama_of, path_in_source
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.manifest import Forgotten


def with_removed(change: Change, place_ids: NDArray[np.int64]) -> Forgotten:
    """What an index leaves out once these places are removed; photos that a server keeps go."""
    kept, root = KeptPhotos(change.folder), Path(change.manifest.source["root"])
    contents = change.contents
    rows = np.searchsorted(contents.rows.place_ids, place_ids).tolist()
    return {
        **change.manifest.forgotten,
        **{
            stored_path(path, root): FileStamp(
                contents.content(row).hex(), int(contents.rows.value("size", row))
            )
            for row, path in zip(rows, change.paths(place_ids), strict=True)
            if not kept.holds(path)
        },
    }


def listed_again(
    contents: Contents, source: Source, root: Path, forgotten: Forgotten
) -> dict[str, FileStamp | None]:
    """The photos of a source that are `forgotten`, by their stored path.

    A photo is known by its content, whatever it is called now. It is read only if one of its size
    is forgotten, and its time is not that of a photo known under its path. A path counts where it
    was noted alone, and of panoramas: one is what its views are, all of them.
    """
    if not forgotten:
        return {}
    stamps = {stamp for stamp in forgotten.values() if stamp}
    sizes = {stamp.bytes for stamp in stamps}
    indexed = {path: row for row, path in enumerate(contents.column("path").tolist())}
    panoramas = {_panorama(path) for path in forgotten} - {""}
    if panoramas:
        panoramas -= {_panorama(os.fsdecode(path)) for path in indexed}
    removed = _removed(contents, forgotten)
    again: dict[str, FileStamp | None] = {}
    for photo in source.photos:
        path = stored_path(photo.path, root)
        panorama, noted = _panorama(path), forgotten.get(path)
        by_path = path in forgotten and (noted is None or panorama)
        if by_path or path in panoramas or panorama in forgotten:
            again[path] = noted or _stamp(photo.path)
            continue
        row = indexed.get(os.fsencode(path))
        if row is not None and _is_untouched(contents, row, photo.path):
            continue
        known = row is None and path in removed and _size_and_time(photo.path) == removed[path]
        stamp = noted if known else _stamp(photo.path, sizes)
        if stamp and stamp in stamps and (stamp == noted or not _holds(contents, stamp)):
            again[path] = stamp
    return again


def without(forgotten: Forgotten, wanted: Mapping[str, FileStamp | None]) -> Forgotten:
    """What is still forgotten once these photos are wanted again, by their paths and contents."""
    stamps = {stamp for stamp in wanted.values() if stamp}
    paths = {*wanted, *map(_panorama, wanted)} - {""}
    return {
        path: stamp
        for path, stamp in forgotten.items()
        if path not in paths and _panorama(path) not in paths and stamp not in stamps
    }


def _panorama(path: str) -> str:
    """The stored path of the panorama that a stored path is a view of; "" where it is of none."""
    return os.fsdecode(path_in_source(panorama_of(os.fsencode(path))))


def _removed(contents: Contents, forgotten: Forgotten) -> dict[str, tuple[int, int]]:
    """The size and time of forgotten photos, by their paths, while the shards hold their places."""
    known, rows = {}, contents.rows
    for place_id in contents.manifest.removed_ids.tolist():
        path = os.fsdecode(rows.stored_value("path", place_id))
        stamp = forgotten.get(path)
        if stamp and rows.stored_value("content", place_id).tobytes().hex() == stamp.sha256:
            size, time = (rows.stored_value(key, place_id) for key in ("size", "mtime_ns"))
            known[path] = int(size), int(time)
    return known


def _size_and_time(photo: Path) -> tuple[int, int] | None:
    """The size and time of a photo; None where it is gone."""
    try:
        status = photo.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _is_untouched(contents: Contents, row: int, photo: Path) -> bool:
    """Whether a photo has the size and time of the one that a row was made from."""
    try:
        return contents.is_made_from(row, photo, by_content=False) is True
    except OSError:
        return False


def _stamp(photo: Path, sizes: set[int] | None = None) -> FileStamp | None:
    """The hash and size of a photo; None where it is gone, or is of none of these sizes."""
    try:
        size = photo.stat().st_size
        known = sizes is None or size in sizes
        return FileStamp(sha256_of(photo), size) if known else None
    except OSError:
        return None


def _holds(contents: Contents, stamp: FileStamp) -> bool:
    """Whether a place of the index has such a photo."""
    return bool(contents.rows_holding({bytes.fromhex(stamp.sha256)}))
