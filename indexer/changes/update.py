"""Adding photos to an index, and syncing it with its source."""

import os
from collections.abc import Collection, Container
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.indexer.changes.change import Change, ChangeReport, StillThere, changing
from place_search.indexer.changes.compact import compact_if_due
from place_search.indexer.changes.difference import Difference, compare
from place_search.indexer.changes.duplicates import Duplicate, duplicates_in, rows_with_equal_heads
from place_search.indexer.changes.forgotten_photos import forgotten_without, listed_forgotten_photos
from place_search.indexer.changes.missing_photos import edits_of_missing, groups_of_missing
from place_search.indexer.changes.regroup import group_views, stored_groups
from place_search.indexer.changes.version_builder import check_model
from place_search.indexer.errors import SourceError
from place_search.indexer.pipeline import skipped_name, stored_path
from place_search.indexer.places import PhotoNote
from place_search.indexer.sources.kept_views import panorama_of, path_in_source
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.storage.array_file import ArrayFile
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.manifest import ForgottenPhotos, Skipped
from place_search.models import Model


def add_photos(
    folder: Path, source: Source, model: Model, *, progress: Progress = silent
) -> ChangeReport:
    """Add the photos of a source that an index lacks, and replace those that have changed.

    A photo is identified by its path; a photo of another size, or of another time and content, gets
    a new place. While it cannot be read, as when it is half written, its old place stays. A photo
    whose content the index has under another path is not embedded again.

    Raises:
        IndexFormatError: no index, a damaged one, or one of an older format.
        ModelMismatchError: the index was made by another model.
        SourceError: none of the photos to add can be read, or their disk fails.
        IndexWriteError: a full disk, a read-only folder, or another process that writes there.
    """
    return _change_photos(folder, source, model, progress, sync=False)


def sync_photos(
    folder: Path,
    source: Source,
    model: Model,
    *,
    forget: bool = False,
    progress: Progress = silent,
) -> ChangeReport:
    """Make an index hold the photos of a source, and no others but those added over HTTP.

    As `add_photos`, and places whose photo the source does not list are removed. Where such a photo
    still exists, outside of the source, this change does not compact the index, so that the place
    can be restored. A source that has moved as a whole is recognised by the paths below its root.
    Photos whose places were removed by hand stay out, under another path too, unless `forget` is
    set. Edits and group of a place go to the new place of a photo that has another path now, or
    under the same root another content.

    Raises: as `add_photos`, and SourceError where places would be removed whose photos lie in a
        folder that cannot be listed now.
    """
    return _change_photos(folder, source, model, progress, sync=True, forget=forget)


def _change_photos(
    folder: Path,
    source: Source,
    model: Model,
    progress: Progress,
    *,
    sync: bool,
    forget: bool = False,
) -> ChangeReport:
    with changing(Path(folder), progress) as change:
        report = _update(change, source, model, sync=sync, forget=forget)
    if source.panoramas:
        group_views(Path(folder))
    return report


def _update(
    change: Change, source: Source, model: Model, *, sync: bool, forget: bool
) -> ChangeReport:
    check_model(model, change.manifest, change.folder)
    manifest, contents = change.manifest, change.contents
    root = source.root if sync else manifest.root
    stored_root = stored_path(source.root, root)
    if stored_root != skipped_name(stored_root) and source.root != KeptPhotos(change.folder).folder:
        raise SourceError(
            f"Photos of {skipped_name(stored_root)} cannot be added: its name is not UTF-8; rename "
            "that folder."
        )
    listed_forgotten = listed_forgotten_photos(contents, source, root, manifest.forgotten)
    if sync and not forget:
        forgotten: ForgottenPhotos = {**manifest.forgotten, **listed_forgotten}
        source = _without_photos(source, listed_forgotten) if listed_forgotten else source
        left_out_again = len(listed_forgotten)
    else:
        forgotten = forgotten_without(manifest.forgotten, listed_forgotten)
        left_out_again = 0
    delta = compare(contents, source, root)
    ids = contents.rows.place_ids
    unlisted = _unlisted_rows(change, delta) if sync else np.empty(0, np.int64)
    successors = delta.successors_without(unlisted)
    gone = [row for row in unlisted.tolist() if row not in successors]
    _require_listed(change, source, gone)
    still_there = _outside_source(change, source, gone)
    overwritten = np.array(sorted(delta.overwritten - successors.keys()), np.int64)
    first_id = manifest.next_place_id
    photos = {first_id + entry: photo for entry, (photo, _) in enumerate(delta.entries)}
    copied = {
        first_id + entry: int(ids[row])
        for entry, (_, row) in enumerate(delta.entries)
        if row is not None
    }
    names = {photo.name for photo in photos.values()}
    left_out = [] if sync else [photo for photo in manifest.skipped if photo.name not in names]
    source_entry = {"root": str(root), "kind": source.kind if sync else manifest.source["kind"]}
    skipped: list[Skipped] = []
    duplicates: list[Duplicate] = []
    notes: list[PhotoNote] = []
    reused = 0
    if photos or len(unlisted):
        path_edits = edits_of_missing(change.folder, manifest, contents, change.edits)
        groups = stored_groups(change.folder, manifest)
        path_groups = groups_of_missing(change.folder, manifest, contents, groups)
        # Under another root, an equal path does not mean the same photo.
        same_root = manifest.source["root"] == str(root)
        candidates = photos if same_root else {}
        new_ids = {stored_path(photo.path, root): place for place, photo in candidates.items()}
        draft = replace(
            change.draft(f"{'sync' if sync else 'add'}{model.limit_in_words}", photos, copied),
            source=source_entry,
            removed=np.union1d(manifest.removed_ids, ids[np.union1d(unlisted, overwritten)]),
            successors={int(ids[row]): first_id + entry for row, entry in successors.items()},
            rejoining={
                place: new_ids[path] for path, place in path_groups.items() if path in new_ids
            },
            returning={new_ids[path]: edit for path, edit in path_edits.items() if path in new_ids},
            skipped=left_out,
            forgotten=forgotten,
        )
        outcome = change.commit(draft, model)
        skipped, reused, notes = outcome.skipped, outcome.reused, outcome.notes
        duplicates = _duplicates(change, contents, first_id)
    else:
        change.rewrite(source=source_entry, skipped=tuple(left_out), forgotten=forgotten)
    replaced = {skipped_name(name) for name in delta.replaced}
    not_changed = sum(photo.name in replaced for photo in skipped)
    added = len(photos) - len(delta.replaced) - (len(skipped) - not_changed)
    return change.report(
        added=added,
        changed=len(delta.replaced) - not_changed,
        removed=len(unlisted),
        copied=len(copied),
        unchanged=len(delta.listed) - len(delta.replaced),
        reused=reused,
        compacted=not still_there and compact_if_due(change),
        forgotten=left_out_again,
        still_there=still_there,
        skipped=skipped,
        duplicates=duplicates,
        notes=notes,
        intake=source.intake,
    )


def _unlisted_rows(change: Change, delta: Difference) -> NDArray[np.int64]:
    """The rows of photos that the source does not list, except photos that a server keeps."""
    rows = np.setdiff1d(np.arange(len(change.contents.rows.place_ids)), [*delta.listed])
    kept_photos, root = KeptPhotos(change.folder), change.manifest.root
    paths = change.paths(change.contents.rows.place_ids[rows])
    return rows[[not kept_photos.keeps(path, root) for path in paths]]


def _require_listed(change: Change, source: Source, rows: Collection[int]) -> None:
    """Refuse to remove the places of `rows` whose photos lie in a folder that cannot be listed now.

    Raises:
        SourceError: such a place would be lost.
    """
    reasons = {source.root / name: reason for name, reason in source.unlisted}
    for row in rows if reasons else ():
        photo, root = _photo(change, row), change.manifest.root
        # A source that has moved as a whole has the same paths below another root.
        moved = source.root / photo.relative_to(root) if photo.is_relative_to(root) else photo
        for path in (photo, moved):
            for folder in reasons.keys() & {path, *path.parents}:
                raise SourceError(
                    f"{folder} would lose its places: {reasons[folder]}, then sync again."
                )


def _outside_source(change: Change, source: Source, rows: Collection[int]) -> list[StillThere]:
    """The places of `rows` whose photo exists outside of the folder of the source."""
    still_there = []
    for row in rows:
        photo = _photo(change, row)
        if not photo.is_relative_to(source.root) and os.path.isfile(photo):  # noqa: PTH113
            still_there.append(StillThere(int(change.contents.rows.place_ids[row]), str(photo)))
    return still_there


def _photo(change: Change, row: int) -> Path:
    """The path of a row's photo; of a view, that of its panorama."""
    path = os.fsencode(change.contents.text("path", row))
    return change.manifest.root / os.fsdecode(path_in_source(panorama_of(path) or path))


def _without_photos(source: Source, paths: Container[str]) -> Source:
    """A source without the photos of these paths under its root."""
    root = source.root
    photos = [photo for photo in source.photos if stored_path(photo.path, root) not in paths]
    return replace(source, photos=photos)


def _duplicates(change: Change, old_contents: Contents, first_id: int) -> list[Duplicate]:
    """The places from `first_id` on whose photo an earlier place has too."""
    keys = ("place_id", "name", "content")
    shards = sorted(set(change.manifest.shards) - set(old_contents.manifest.shards))
    new_shards = [ArrayFile(change.folder / name) for name in shards]
    if not new_shards:
        return []
    new_columns = {key: np.concatenate([shard.column(key) for shard in new_shards]) for key in keys}
    rows = rows_with_equal_heads(old_contents.column("content"), new_columns["content"])
    rows = rows[~np.isin(old_contents.rows.place_ids[rows], change.manifest.removed_ids)]
    ids, names, content = (
        np.concatenate([old_contents.column(key)[rows], new_columns[key]]) for key in keys
    )
    order = np.argsort(ids)
    return duplicates_in(ids[order], names[order], content[order], since=first_id)
