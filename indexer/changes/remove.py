"""Removing places from an index."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.core.rows import is_among
from place_search.core.tables import is_whole
from place_search.indexer.changes.change import Change, ChangeReport, changing
from place_search.indexer.changes.compact import compact_if_due
from place_search.indexer.changes.edit import require_version
from place_search.indexer.changes.forgotten_photos import forgotten_with, forgotten_without
from place_search.indexer.errors import ChangeRefusedError, UnknownPlaceError
from place_search.indexer.sources.kept_views import panorama_of
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.manifest import encode_ids


def remove_places(
    folder: Path,
    places: Iterable[SupportsIndex | str],
    *,
    version: int | None = None,
    compact: bool = True,
    progress: Progress = silent,
) -> ChangeReport:
    """Remove places, by their ids or names, from an index. Their photos are left alone.

    The name of a panorama stands for all of its views. `sync` leaves removed photos out, even if
    their files are renamed; `add` brings them back. An id that a place had once counts as removed
    already. Places that exist must be of the `version` that is given. The places can be restored
    until a change compacts the index; this change does so if `compact` is set and it is due.

    Raises:
        EditConflictError: a place is of another version.
        UnknownPlaceError: an id or name that no place has or had, a name of several places, a value
            that is no id or name, or no list of them.
        IndexFormatError: no index, a damaged one, or one of an older format.
        ChangeRefusedError: no place would be left.
        IndexWriteError: a full disk, a read-only folder, or another process that writes there.
    """
    requested_ids, requested_names = _split_ids_and_names(places)
    with changing(Path(folder), progress) as change:
        ids = _ids(change, requested_ids, requested_names)
        present = ids[is_among(ids, change.contents.rows.place_ids)]
        if version is not None:
            for place_id in present.tolist():
                require_version(change, place_id, version)
        if len(present) == change.manifest.places:
            raise ChangeRefusedError(
                "That would leave no place in the index; delete its folder if that is what you "
                "want."
            )
        if len(present):
            removed = np.union1d(change.manifest.removed_ids, present)
            forgotten = forgotten_with(change, present)
            draft = replace(change.draft("remove"), removed=removed, forgotten=forgotten)
            change.commit(draft)
        return change.report(removed=len(present), compacted=compact and compact_if_due(change))


def restore_places(
    folder: Path, places: Iterable[SupportsIndex], *, progress: Progress = silent
) -> ChangeReport:
    """Bring back removed places, by their ids, unchanged. Places that exist stay.

    Raises:
        UnknownPlaceError: no place ever had such an id, the index was compacted since, or `places`
            is no list of ids.
        IndexFormatError: no index, a damaged one, or one of an older format.
        ChangeRefusedError: another place has the same photo.
        IndexWriteError: a full disk, a read-only folder, or another process that writes there.
    """
    ids = _ids_to_restore(places)
    with changing(Path(folder), progress) as change:
        stored, removed = change.contents.rows.stored_ids, change.manifest.removed_ids
        for place_id in sorted(ids - set(stored.tolist())):
            raise UnknownPlaceError(
                f"There is no place {place_id} to restore: it never was, or the index was "
                "compacted since; add its photo again."
            )
        restored = np.intersect1d(np.array([*ids], np.int64), removed)
        if len(restored):
            still_removed, forgotten = np.setdiff1d(removed, restored), change.manifest.forgotten
            paths = _restored_paths(change, still_removed, restored)
            draft = replace(
                change.draft("restore"),
                removed=still_removed,
                forgotten=forgotten_without(
                    forgotten, {path: forgotten.get(path) for path in paths}
                ),
            )
            if not _store_holds_all(change):
                draft = replace(draft, store=replace(draft.store, old=None))
            change.commit(draft)
        return change.report(added=len(restored))


def _restored_paths(
    change: Change, still_removed: NDArray[np.int64], restored: NDArray[np.int64]
) -> set[str]:
    """The stored paths of restored places. Raises `ChangeRefusedError` if another place has one."""
    manifest = replace(change.manifest, tombstones=encode_ids(still_removed))
    contents = Contents(manifest, change.manifest.paths(change.folder))
    paths = contents.column("path").tolist()
    ids = contents.rows.place_ids.tolist()
    by_id = dict(zip(ids, paths, strict=True))
    restored_paths = {by_id[place_id] for place_id in restored.tolist()}
    for place_id, path in zip(ids, paths, strict=True):
        if path in restored_paths and place_id not in restored:
            raise ChangeRefusedError(
                f"The photo of the place to restore is in the index again, as place {place_id}; "
                "remove that one first."
            )
    return {path.decode() for path in restored_paths}


def _store_holds_all(change: Change) -> bool:
    """Whether the vector store still holds the vectors of all removed places."""
    stored = change.contents.rows.stored_ids
    return int((stored <= change.card.max_place_id).sum()) == change.card.count


def _ids_to_restore(places: object) -> set[int]:
    if isinstance(places, Iterable) and not isinstance(places, bytes | bytearray):
        places = [*places]
        if all(map(is_whole, places)):
            return set(map(int, places))
    raise UnknownPlaceError(
        f"The places to restore are a list of ids, such as [12, 13], not {places!r:.80}; nothing "
        "was restored."
    )


def _split_ids_and_names(places: object) -> tuple[set[int], set[str]]:
    """The ids and the names among `places`. Bytes and a text are no list, though iterable."""
    if isinstance(places, str | bytes | bytearray) or not isinstance(places, Iterable):
        raise UnknownPlaceError(
            f"The places to remove are a list of ids and names, such as [12, 'gate.jpg'], not "
            f"{places!r:.80}; nothing was removed."
        )
    ids, names = set[int](), set[str]()
    for place in places:
        if isinstance(place, str):
            names.add(place)
        elif is_whole(place):
            ids.add(int(place))
        else:
            raise UnknownPlaceError(
                f"{place!r:.80} is neither the id nor the name of a place; nothing was removed."
            )
    return ids, names


def _ids(change: Change, requested_ids: set[int], requested_names: set[str]) -> NDArray[np.int64]:
    for place_id in requested_ids:
        if not 0 <= place_id < change.manifest.next_place_id:
            raise UnknownPlaceError(
                f"There never was a place {place_id} in {change.folder}; nothing was removed."
            )
    ids = set(requested_ids)
    if requested_names:
        edits = change.edits
        by_name: defaultdict[str, list[int]] = defaultdict(list)
        by_panorama: defaultdict[str, list[int]] = defaultdict(list)
        columns = (change.contents.column(key).tolist() for key in ("place_id", "name", "path"))
        for place_id, name, path in zip(*columns, strict=True):
            for text in {name.decode(), edits.of(place_id).name} & requested_names:
                by_name[text].append(place_id)
            if panorama_of(path):
                by_panorama[name.decode().rpartition("#")[0]].append(place_id)
        for name in sorted(requested_names):
            of_panorama = by_panorama[name] if not by_name[name] else []
            ids.update(of_panorama or [_single_id(name, by_name[name], change)])
    return np.array(sorted(ids), np.int64)


def _single_id(name: str, ids: list[int], change: Change) -> int:
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
