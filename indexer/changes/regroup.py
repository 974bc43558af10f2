"""Replacing the groups of an index: its places and its id stay."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from place_search.core.files import write_whole
from place_search.indexer.changes.change import changing
from place_search.indexer.sources.kept_views import panorama_of
from place_search.indexer.storage.commit import pending_name
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.groups import GROUPS, Groups, read_groups
from place_search.indexer.storage.manifest import Manifest, read_manifest


def change_groups(folder: Path, change: Callable[[Groups], Groups | None]) -> Groups | None:
    """Put in the place of an index's groups what `change` makes of them; None leaves them.

    No other process writes the index meanwhile. Returns what the groups are now, None where they
    were left.

    Raises:
        IndexFormatError: no index, a damaged one, or one of an older format.
        IndexWriteError: a full disk or a read-only folder.
        IndexBusyError: another process is writing this index.
    """
    folder = Path(folder)
    with changing(folder) as locked:
        groups = change(stored_groups(folder, locked.manifest))
        if groups is None:
            return None
        name = pending_name(GROUPS, locked.manifest.index_id)
        stamp = write_whole(folder / name, groups.to_bytes())
        files = {**locked.manifest.files, GROUPS: stamp}
        replace(locked.manifest, files=files).write(folder)
        locked.manifest = replace(locked.manifest, files=files)
    return groups


def stored_groups(folder: Path, manifest: Manifest) -> Groups:
    """The groups of a version that is locked; none where they were never made."""
    return read_groups(folder / GROUPS) if GROUPS in manifest.files else Groups()


def group_views(folder: Path) -> None:
    """Put the views of each panorama in a group, held together as one made by hand is.

    Raises: as `change_groups`.
    """
    manifest = read_manifest(folder)
    contents = Contents(manifest, manifest.paths(folder))
    paths = contents.column("path").tolist()
    panoramas: defaultdict[bytes, list[int]] = defaultdict(list)
    for place_id, path in zip(contents.rows.place_ids.tolist(), paths, strict=True):
        if panorama := panorama_of(path):
            panoramas[panorama].append(place_id)
    change_groups(folder, partial(with_views, panoramas.values()))


def with_views(panoramas: Iterable[Sequence[int]], groups: Groups) -> Groups | None:
    """The groups with the views of panoramas, by the ids of their places; None if all are in them.

    Views that are in a group stay there, and others of their panorama come to them.
    """
    new: dict[int, int] = {}
    for views in panoramas:
        known = [groups.of(view) for view in views]
        there = [group for group in known if group is not None]
        group = there[0] if there else views[0]
        new |= {view: group for view, of in zip(views, known, strict=True) if of is None}
    if not new:
        return None
    place_id = np.concatenate([groups.place_id, np.array(list(new), np.int64)])
    order = np.argsort(place_id)
    return replace(
        groups,
        place_id=place_id[order],
        group=np.concatenate([groups.group, np.array(list(new.values()), np.int64)])[order],
        held=np.concatenate([groups.held, np.ones(len(new), np.bool_)])[order],
    )
