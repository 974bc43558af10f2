"""Removing places from an index."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.indexer.changes.change import Change, ChangeReport, changing
from place_search.indexer.changes.compact import compact_if_due
from place_search.indexer.changes.kept_photos import KeptPhotos
from place_search.indexer.errors import IndexWriteError, UnknownPlaceError


def remove_places(
    folder: Path, places: Sequence[int | str], *, progress: Progress | None = None
) -> ChangeReport:
    """Remove places, by their ids or names, from an index. Their photos are left alone.

    They stay out when the index is brought in line with its photos; to add them brings them back.
    An id that was given to a place once and is one no more counts as removed already.

    Raises:
        UnknownPlaceError: an id or name that no place has or had, or a name that several have.
        IndexFormatError: no index, a damaged one, or one of an older format.
        IndexWriteError: no place would be left, a full disk, a read-only folder, or another
            process that writes there.
    """
    with changing(Path(folder), progress or silent) as change:
        ids = _ids(change, places)
        gone = ids[np.isin(ids, change.contents.rows.place_ids)]
        if len(gone) == change.manifest.places:
            raise IndexWriteError(
                f"That would leave no place in {folder}; delete the folder if that is what you "
                "want."
            )
        if len(gone):
            removed = np.union1d(change.manifest.removed_ids, gone)
            forgotten = {*change.manifest.forgotten, *_paths(change, gone)}
            draft = replace(change.draft("remove"), removed=removed, forgotten=sorted(forgotten))
            change.commit(draft)
        return change.report(removed=len(gone), compacted=compact_if_due(change))


def _paths(change: Change, ids: NDArray[np.int64]) -> list[str]:
    """The paths of places' photos, but for those that a server keeps and deletes itself."""
    root, kept = Path(change.manifest.source["root"]), KeptPhotos(change.folder).folder
    rows = np.searchsorted(change.contents.rows.place_ids, ids)
    paths = [change.contents.text("path", row) for row in rows.tolist()]
    return [path for path in paths if (root / path).parent != kept]


def _ids(change: Change, places: Sequence[int | str]) -> NDArray[np.int64]:
    ids = {place for place in places if isinstance(place, int)}
    for place_id in ids:
        if not 0 <= place_id < change.manifest.next_place_id:
            raise UnknownPlaceError(
                f"There never was a place {place_id} in {change.folder}; nothing was removed."
            )
    wanted = {place for place in places if isinstance(place, str)}
    if wanted:
        table = change.contents.table["name"].tolist()
        named: defaultdict[str, list[int]] = defaultdict(list)
        for place_id, name in zip(change.contents.rows.place_ids.tolist(), table, strict=True):
            text = name.decode()
            if text in wanted:
                named[text].append(place_id)
        for name in sorted(wanted):
            ids.add(_only(name, named[name], change))
    return np.array(sorted(ids), np.int64)


def _only(name: str, ids: list[int], change: Change) -> int:
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise UnknownPlaceError(
            f"There is no place '{name}' in {change.folder}; nothing was removed."
        )
    several = ", ".join(map(str, ids[:5]))
    raise UnknownPlaceError(
        f"'{name}' is the name of {len(ids)} places in {change.folder}; give the id of the one "
        f"you mean ({several}); nothing was removed."
    )
