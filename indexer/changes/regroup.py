"""Replacing the groups of an index: its places and its id stay."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from place_search.core.files import write_whole
from place_search.core.progress import silent
from place_search.indexer.changes.change import changing
from place_search.indexer.storage.commit import pending_name
from place_search.indexer.storage.groups import GROUPS, Groups, read_groups
from place_search.indexer.storage.manifest import Manifest


def change_groups(folder: Path, change: Callable[[Groups], Groups | None]) -> bool:
    """Put in the place of an index's groups what `change` makes of them; None leaves them.

    No other process writes the index meanwhile. Returns whether there are other groups now.

    Raises:
        IndexFormatError: no index, a damaged one, or one of an older format.
        IndexWriteError: a full disk or a read-only folder.
        IndexBusyError: another process is writing this index.
    """
    folder = Path(folder)
    with changing(folder, silent) as locked:
        groups = change(stored_groups(folder, locked.manifest))
        if groups is None:
            return False
        name = pending_name(GROUPS, locked.manifest.index_id)
        stamp = write_whole(folder / name, groups.to_bytes())
        files = {**locked.manifest.files, GROUPS: stamp}
        replace(locked.manifest, files=files).write(folder)
        locked.manifest = replace(locked.manifest, files=files)
    return True


def stored_groups(folder: Path, manifest: Manifest) -> Groups:
    """The groups of a version that is locked; none where they were never made."""
    return read_groups(folder / GROUPS) if GROUPS in manifest.files else Groups()
