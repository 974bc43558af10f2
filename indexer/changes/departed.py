"""What people have said of photos that went by themselves: it waits until they are there again."""

from pathlib import Path

import numpy as np

from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.edits import Edit, Edits
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.manifest import Manifest


def said_of_departed(
    folder: Path, manifest: Manifest, contents: Contents, edits: Edits
) -> dict[str, Edit]:
    """What was said of the photos of which a version has no place any more, by their stored paths.

    What was said of places that were removed by hand is not among it: it goes with them.

    Raises:
        IndexFormatError: a shard cannot be read, or is damaged.
    """
    removed = np.intersect1d(np.array(list(edits.by_place), np.int64), manifest.removed_ids)
    if not edits.by_path and not len(removed):
        return {}
    said = {**edits.by_path}
    for place_id in removed.tolist():
        said[contents.rows.stored_value("path", place_id).decode()] = edits.by_place[place_id]
    root, kept = Path(manifest.source["root"]), KeptPhotos(folder)
    there = {path.decode() for path in contents.column("path").tolist()}
    return {
        path: edit
        for path, edit in said.items()
        if path not in there and path not in manifest.forgotten and not kept.holds(root / path)
    }
