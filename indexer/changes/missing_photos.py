"""Edits and groups of missing photos: photos that disappeared, and whose places went with them.

They wait until the photos are back, as those of a disk that was not mounted.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.edits import Edit, Edits
from place_search.indexer.storage.groups import Groups
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.manifest import Manifest

T = TypeVar("T")


def edits_of_missing(
    folder: Path, manifest: Manifest, contents: Contents, edits: Edits
) -> dict[str, Edit]:
    """The edits of photos of which a version has no place any more, by their stored paths.

    Edits of places that were removed by hand are left out: they go with these places.

    Raises:
        IndexFormatError: a shard cannot be read, or is damaged.
    """
    removed = _removed_by_path(edits.by_place, manifest, contents)
    edits_of_paths = {
        **edits.by_path,
        **{path: edits.by_place[place] for path, place in removed.items()},
    }
    return _of_missing_photos(edits_of_paths, folder, manifest, contents)


def groups_of_missing(
    folder: Path, manifest: Manifest, contents: Contents, groups: Groups
) -> dict[str, int]:
    """The ids in groups of missing photos, by stored path, of groups made by hand or with a name.

    Raises: as `edits_of_missing`.
    """
    by_hand = groups.held | np.isin(groups.group, list(groups.names))
    removed = _removed_by_path(groups.place_id[by_hand].tolist(), manifest, contents)
    return _of_missing_photos({**groups.waiting, **removed}, folder, manifest, contents)


def _removed_by_path(
    place_ids: Iterable[int], manifest: Manifest, contents: Contents
) -> dict[str, int]:
    """The removed places among these, by the stored paths of their photos."""
    removed_ids = np.intersect1d(np.array(list(place_ids), np.int64), manifest.removed_ids)
    return {
        contents.rows.stored_value("path", place).decode(): place for place in removed_ids.tolist()
    }


def _of_missing_photos(
    by_path: Mapping[str, T], folder: Path, manifest: Manifest, contents: Contents
) -> dict[str, T]:
    """The values of photos that have no place, and whose place was not removed by hand."""
    if not by_path:
        return {}
    root, kept_photos = manifest.root, KeptPhotos(folder)
    present = {path.decode() for path in contents.column("path").tolist()}
    return {
        path: value
        for path, value in by_path.items()
        if path not in present
        and path not in manifest.forgotten
        and not kept_photos.holds(root / path)
    }
