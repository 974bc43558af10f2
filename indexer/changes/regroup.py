"""Replacing the groups of an index: its places and its id stay."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from place_search.core.files import write_whole
from place_search.indexer.changes.change import changing
from place_search.indexer.sources.kept_views import panorama_of
from place_search.indexer.storage.commit import pending_name
from place_search.indexer.storage.contents import current_paths
from place_search.indexer.storage.groups import GROUPS, Groups, read_groups
from place_search.indexer.storage.lock import FINISHING_SECONDS
from place_search.indexer.storage.manifest import Manifest


def change_groups(
    folder: Path, change: Callable[[Groups], Groups | None], *, patience: float = 0.0
) -> Groups | None:
    """Replace the groups of an index by the result of `change`; None leaves them.

    No other process writes the index meanwhile. Returns the new groups, None where they were left.

    Raises:
        IndexFormatError: no index, a damaged one, or one of an older format.
        IndexWriteError: a full disk or a read-only folder.
        IndexBusyError: another process is writing this index, for more than `patience` seconds.
    """
    folder = Path(folder)
    with changing(folder, patience=patience) as locked:
        groups = change(stored_groups(folder, locked.manifest))
        if groups is None:
            return None
        name = pending_name(GROUPS, locked.manifest.index_id)
        stamp = write_whole(folder / name, groups.to_bytes())
        locked.rewrite(files={**locked.manifest.files, GROUPS: stamp})
    return groups


def stored_groups(folder: Path, manifest: Manifest) -> Groups:
    """The groups of a locked version; empty where the index was never grouped."""
    return read_groups(folder / GROUPS) if GROUPS in manifest.files else Groups()


def group_views(folder: Path) -> None:
    """Put the views of each panorama in a group, which counts as made by hand.

    Raises: as `change_groups`.
    """
    panoramas: defaultdict[bytes, list[int]] = defaultdict(list)
    for place_id, path in current_paths(folder):
        if panorama := panorama_of(path):
            panoramas[panorama].append(place_id)
    change_groups(folder, partial(with_views, panoramas.values()), patience=FINISHING_SECONDS)


def with_views(panoramas: Iterable[Sequence[int]], groups: Groups) -> Groups | None:
    """The groups with the views of panoramas, by place ids; None if all views are grouped already.

    Views that are in a group stay in it, and the other views of their panorama join them.
    """
    group_of_view: dict[int, int] = {}
    for views in panoramas:
        view_groups = [groups.of(view) for view in views]
        present = [group for group in view_groups if group is not None]
        group = present[0] if present else views[0]
        group_of_view |= {
            view: group for view, current in zip(views, view_groups, strict=True) if current is None
        }
    if not group_of_view:
        return None
    place_ids, joined = np.array([*group_of_view.items()], np.int64).T
    return groups.with_places(place_ids, joined, held=True)
