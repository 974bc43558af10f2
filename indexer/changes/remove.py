"""Removing places from an index."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.core.rows import is_among
from place_search.core.tables import is_whole
from place_search.indexer.changes.change import Change, ChangeReport, changing
from place_search.indexer.changes.compact import compact_if_due
from place_search.indexer.changes.edit import require_version
from place_search.indexer.changes.forgotten import with_removed, without
from place_search.indexer.errors import ChangeRefusedError, UnknownPlaceError
from place_search.indexer.sources.kept_views import panorama_of
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.manifest import encode_ids


def remove_places(
    folder: Path,
    places: Iterable[int | str],
    *,
    version: int | None = None,
    compact: bool = True,
    progress: Progress = silent,
) -> ChangeReport:
    """Remove places, by their ids or names, from an index. Their photos are left alone.

    The name of a panorama stands for all of its views. They stay out, under other names of their
    files too, when the index is brought in line with its photos; to add them brings them back. An
    id that was given to a place once and is one no more counts as removed already. With a
    `version`, places that are there must have been edited so often. Unless it is to `compact` the
    index where much of it is removed, they can be restored until another change does.

    Raises:
        EditConflictError: a place is of another version.
        UnknownPlaceError: an id or name that no place has or had, or a name that several have; what
            is no id or name, or no list of them.
        IndexFormatError: no index, a damaged one, or one of an older format.
        ChangeRefusedError: no place would be left.
        IndexWriteError: a full disk, a read-only folder, or another process that writes there.
    """
    given, names = _told_apart(places)
    with changing(Path(folder), progress) as change:
        ids = _ids(change, given, names)
        gone = ids[is_among(ids, change.contents.rows.place_ids)]
        if version is not None:
            for place_id in gone.tolist():
                require_version(change, place_id, version)
        if len(gone) == change.manifest.places:
            raise ChangeRefusedError(
                "That would leave no place in the index; delete its folder if that is what you "
                "want."
            )
        if len(gone):
            removed = np.union1d(change.manifest.removed_ids, gone)
            forgotten = with_removed(change, gone)
            draft = replace(change.draft("remove"), removed=removed, forgotten=forgotten)
            change.commit(draft)
        return change.report(removed=len(gone), compacted=compact and compact_if_due(change))


def restore_places(
    folder: Path, places: Sequence[int], *, progress: Progress = silent
) -> ChangeReport:
    """Bring back removed places, by their ids, as they were. Those that are there stay.

    Raises:
        UnknownPlaceError: there never was such a place, or the index was compacted since.
        IndexFormatError: no index, a damaged one, or one of an older format.
        ChangeRefusedError: a place of the same photo is there.
        IndexWriteError: a full disk, a read-only folder, or another process that writes there.
    """
    with changing(Path(folder), progress) as change:
        stored, removed = change.contents.rows.stored_ids, change.manifest.removed_ids
        for place_id in sorted(set(places) - set(stored.tolist())):
            raise UnknownPlaceError(
                f"There is no place {place_id} to restore: it never was, or the index was "
                "compacted since; add its photo again."
            )
        back = np.intersect1d(np.array(places, np.int64), removed)
        if len(back):
            left, known = np.setdiff1d(removed, back), change.manifest.forgotten
            paths = _restored_paths(change, left, back)
            draft = replace(
                change.draft("restore"),
                removed=left,
                forgotten=without(known, {path: known.get(path) for path in paths}),
            )
            if not _store_holds_all(change):
                draft = replace(draft, store=replace(draft.store, old=None))
            change.commit(draft)
        return change.report(added=len(back))


def _restored_paths(change: Change, left: NDArray[np.int64], back: NDArray[np.int64]) -> set[str]:
    """The paths of the photos of restored places; raises where another place has such a photo."""
    manifest = replace(change.manifest, tombstones=encode_ids(left))
    after = Contents(manifest, change.manifest.paths(change.folder))
    paths = after.column("path").tolist()
    ids = after.rows.place_ids.tolist()
    by_id = dict(zip(ids, paths, strict=True))
    restored = {by_id[place_id] for place_id in back.tolist()}
    for place_id, path in zip(ids, paths, strict=True):
        if path in restored and place_id not in back:
            raise ChangeRefusedError(
                f"The photo of the place to restore is in the index again, as place {place_id}; "
                "remove that one first."
            )
    return {path.decode() for path in restored}


def _store_holds_all(change: Change) -> bool:
    """Whether the vector store still holds all removed places that it should hold."""
    stored = change.contents.rows.stored_ids
    return int((stored <= change.card.max_place_id).sum()) == change.card.count


def _told_apart(places: object) -> tuple[set[int], set[str]]:
    """Ids and names. Bytes and texts, whose parts are numbers and texts too, are no list."""
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


def _ids(change: Change, given: set[int], wanted: set[str]) -> NDArray[np.int64]:
    for place_id in given:
        if not 0 <= place_id < change.manifest.next_place_id:
            raise UnknownPlaceError(
                f"There never was a place {place_id} in {change.folder}; nothing was removed."
            )
    ids = set(given)
    if wanted:
        edits = change.edits
        named: defaultdict[str, list[int]] = defaultdict(list)
        views: defaultdict[str, list[int]] = defaultdict(list)
        columns = (change.contents.column(key).tolist() for key in ("place_id", "name", "path"))
        for place_id, name, path in zip(*columns, strict=True):
            for text in {name.decode(), edits.of(place_id).name} & wanted:
                named[text].append(place_id)
            if panorama_of(path):
                views[name.decode().rpartition("#")[0]].append(place_id)
        for name in sorted(wanted):
            of_panorama = views[name] if not named[name] else []
            ids.update(of_panorama or [_only(name, named[name], change)])
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
