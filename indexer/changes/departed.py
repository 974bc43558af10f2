"""What people have said of photos that went by themselves: it waits until they are there again."""

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


def said_of_departed(
    folder: Path, manifest: Manifest, contents: Contents, edits: Edits
) -> dict[str, Edit]:
    """What was said of the photos of which a version has no place any more, by their stored paths.

    What was said of places that were removed by hand is not among it: it goes with them.

    Raises:
        IndexFormatError: a shard cannot be read, or is damaged.
    """
    gone = _removed(edits.by_place, manifest, contents)
    said = {**edits.by_path, **{path: edits.by_place[place] for path, place in gone.items()}}
    return _without_places(said, folder, manifest, contents)


def grouped_of_departed(
    folder: Path, manifest: Manifest, contents: Contents, groups: Groups
) -> dict[str, int]:
    """The ids in groups of such photos, where a group was made by hand or has a name.

    Raises: as `said_of_departed`.
    """
    by_hand = groups.held | np.isin(groups.group, list(groups.names))
    gone = _removed(groups.place_id[by_hand].tolist(), manifest, contents)
    return _without_places({**groups.waiting, **gone}, folder, manifest, contents)


def _removed(place_ids: Iterable[int], manifest: Manifest, contents: Contents) -> dict[str, int]:
    """Those of these places that are removed, by the stored paths of their photos."""
    gone = np.intersect1d(np.array(list(place_ids), np.int64), manifest.removed_ids)
    return {contents.rows.stored_value("path", place).decode(): place for place in gone.tolist()}


def _without_places(
    by_path: Mapping[str, T], folder: Path, manifest: Manifest, contents: Contents
) -> dict[str, T]:
    """Those of photos that have no place, and whose place was not removed by hand."""
    if not by_path:
        return {}
    root, kept = Path(manifest.source["root"]), KeptPhotos(folder)
    there = {path.decode() for path in contents.column("path").tolist()}
    return {
        path: of
        for path, of in by_path.items()
        if path not in there and path not in manifest.forgotten and not kept.holds(root / path)
    }
