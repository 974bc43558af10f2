"""Compaction: shards without removed rows, few small shards, and an updated vector store."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.errors import is_of_full_disk
from place_search.core.files import FileStamp
from place_search.core.progress import Progress, silent
from place_search.indexer.changes.change import Change, ChangeReport, changing
from place_search.indexer.changes.missing_photos import edits_of_missing, groups_of_missing
from place_search.indexer.changes.regroup import stored_groups
from place_search.indexer.changes.version_builder import finish_commit
from place_search.indexer.changes.version_spec import VersionSpec
from place_search.indexer.sources.kept_views import drop_views, panorama_of, panoramas_in
from place_search.indexer.storage.descriptor_codes import INT8
from place_search.indexer.storage.edits import write_edits
from place_search.indexer.storage.groups import Groups
from place_search.indexer.storage.manifest import read_manifest
from place_search.indexer.storage.plan import Journal, shard_photos, split_ids
from place_search.indexer.stores.store_card import store_address
from place_search.indexer.stores.store_files import StoreRequest

REMOVED_SHARE = 0.2
"""The share of removed rows above which a change compacts the index."""
MANY_SHARDS = 512
"""The number of surplus shards above which a change compacts: each costs a reader 0.6 ms."""


def compact_index(
    folder: Path, *, store: str = "", uri: str = "", progress: Progress = silent
) -> ChangeReport:
    """Drop the rows of removed places, and join small shards. Ids and places stay.

    The views of a panorama are deleted with the last place that is a view of it. With `store`, a
    kind of vector store or `auto`, the store is built anew from the descriptors; `uri` is the
    address of the engine of a `milvus` store.

    Raises:
        StoreOutageError: the engine does not answer.
        IndexFormatError: no index, a damaged one, or one of an older format.
        IndexWriteError: a full disk, a read-only folder, another process that writes there, or no
            such store or address.
    """
    address = store_address(store, uri) if store else ""
    with changing(Path(folder), progress) as change:
        return change.report(compacted=_compact(change, store, address))


def migrate_index(folder: Path, *, progress: Progress = silent) -> ChangeReport:
    """Make an older index as small as a new one of the same model, without its photos.

    Its descriptors become int8 codes, and an exact store keeps no copy of them. Ids, names and
    positions stay; removed places are dropped. An index that is small already stays as it is.

    Raises: as `compact_index`.
    """
    with changing(Path(folder), progress) as change:
        manifest, draft = change.manifest, change.draft("migrate")
        has_copy = manifest.store["kind"] == "exact" and not manifest.has_no_store_file
        if manifest.descriptor_type == INT8 and not has_copy:
            return change.report()
        ids = change.contents.rows.place_ids.tolist()
        parts = split_ids(ids, shard_photos(len(ids), int(manifest.model["dims"])))
        _commit_without_removed(
            change,
            replace(
                draft,
                plan=replace(draft.plan, parts=parts),
                kept_shards=(),
                store=replace(draft.store, fold=True),
                descriptor_type=INT8,
            ),
        )
        return change.report(compacted=True)


def compact_if_due(change: Change) -> bool:
    """Compact an index with many removed places or very many shards; whether that was done.

    The change before is made already: on a disk that is too full the next change compacts.
    """
    manifest = change.manifest
    many_removed = manifest.removed > REMOVED_SHARE * (manifest.places + manifest.removed)
    needed_shards = manifest.places // shard_photos(manifest.places, int(manifest.model["dims"]))
    if many_removed or len(manifest.shards) > MANY_SHARDS + needed_shards:
        try:
            return _compact(change)
        except OSError as error:
            is_made = read_manifest(change.folder).index_id != manifest.index_id
            if is_made or not is_of_full_disk(error):
                raise
            with suppress(OSError):
                finish_commit(change.folder, manifest, Journal(change.folder))
    return False


def _compact(change: Change, store: str = "", uri: str = "") -> bool:
    """Make the compact version; false where the index is compact already."""
    # The package of the store that there is may be missing, so that its card cannot be read.
    draft = change.draft("compact", store=StoreRequest(store, uri=uri) if store else None)
    per_shard = shard_photos(change.manifest.places, int(change.manifest.model["dims"]))
    runs = _runs(change, per_shard)
    parts = [part for run in runs for part in split_ids(_live_ids(change, run).tolist(), per_shard)]
    rewritten = {change.manifest.shards[shard] for run in runs for shard in run}
    if not store and not runs and _is_folded(change):
        return False
    _commit_without_removed(
        change,
        replace(
            draft,
            plan=replace(draft.plan, parts=parts),
            kept_shards=[name for name in change.manifest.shards if name not in rewritten],
            store=draft.store if store else replace(draft.store, fold=True),
        ),
    )
    return True


def _is_folded(change: Change) -> bool:
    """Whether the file of the store holds all places, and no others."""
    card, place_ids = change.card, change.contents.rows.place_ids
    stored_count = int(np.searchsorted(place_ids, card.max_place_id, side="right"))
    return stored_count == card.count == change.manifest.places


def _commit_without_removed(change: Change, draft: VersionSpec) -> None:
    """Make the next version without rows, edits and views of removed places."""
    panoramas = _removed_panoramas(change)
    remaining = replace(draft, edits=_remaining_edits(change), new_groups=_remaining_groups(change))
    change.commit(replace(remaining, removed=np.empty(0, np.int64)))
    for panorama in panoramas:
        drop_views(change.folder, panoramas_in(os.fsdecode(panorama))[0])


def _removed_panoramas(change: Change) -> set[bytes]:
    """The panoramas of removed places, none of whose views is a place any more."""
    contents = change.contents
    candidates: set[bytes] = set()
    for shard, (start, end) in zip(contents.shards, pairwise(_starts(change)), strict=True):
        removed = contents.rows.removed[start:end]
        if removed.any():
            candidates |= set(map(panorama_of, shard.column("path")[removed].tolist()))
    candidates.discard(b"")
    return (
        candidates - set(map(panorama_of, contents.column("path").tolist()))
        if candidates
        else candidates
    )


def _remaining_edits(change: Change) -> Mapping[str, FileStamp]:
    """Write the file of the edits of the places that are not removed.

    It keeps the edits of missing photos, as those of a disk that was not mounted.
    """
    contents, edits = change.contents, change.edits
    place_ids = set(contents.rows.place_ids.tolist())
    by_place = {key: edit for key, edit in edits.by_place.items() if key in place_ids}
    by_path = edits_of_missing(change.folder, change.manifest, contents, edits)
    return write_edits(change.folder, replace(edits, by_place=by_place, by_path=by_path))


def _remaining_groups(change: Change) -> Groups | None:
    """The groups with the ids that wait for missing photos; None if they have these already."""
    groups = stored_groups(change.folder, change.manifest)
    waiting = groups_of_missing(change.folder, change.manifest, change.contents, groups)
    return None if waiting == groups.waiting else replace(groups, waiting=waiting)


def _runs(change: Change, per_shard: int) -> list[list[int]]:
    """Runs of neighbouring shards to write anew: with removed rows, or several small shards."""
    runs: list[list[int]] = [[]]
    gappy: set[int] = set()
    starts = _starts(change)
    for shard, (start, end) in enumerate(pairwise(starts)):
        removed = int(change.contents.rows.removed[start:end].sum())
        if removed:
            gappy.add(shard)
        if removed or end - start < per_shard // 2:
            runs[-1].append(shard)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if len(run) > 1 or set(run) & gappy]


def _starts(change: Change) -> Sequence[int]:
    counts = [shard.shape("descriptors")[0] for shard in change.contents.shards]
    starts: list[int] = np.cumsum([0, *counts]).tolist()
    return starts


def _live_ids(change: Change, run: Sequence[int]) -> NDArray[np.int64]:
    starts = _starts(change)
    part = slice(starts[run[0]], starts[run[-1] + 1])
    rows = change.contents.rows
    return rows.stored_ids[part][~rows.removed[part]]
