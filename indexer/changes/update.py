"""Adding photos to an index, and bringing it in line with where its photos come from."""

import os
from collections.abc import Collection, Container
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.indexer.changes.change import Change, ChangeReport, StillThere, changing
from place_search.indexer.changes.compact import compact_if_due
from place_search.indexer.changes.departed import grouped_of_departed, said_of_departed
from place_search.indexer.changes.difference import Difference, compare
from place_search.indexer.changes.duplicates import Duplicate, duplicates_in, rows_alike
from place_search.indexer.changes.forgotten import listed_again, without
from place_search.indexer.changes.regroup import group_views, stored_groups
from place_search.indexer.changes.version_builder import check_model
from place_search.indexer.errors import SourceError
from place_search.indexer.pipeline import skipped_name, stored_path
from place_search.indexer.places import PhotoNote
from place_search.indexer.sources.kept_views import panorama_of, path_in_source
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.manifest import Forgotten, Skipped
from place_search.indexer.storage.shard_reader import ArrayFile
from place_search.models import Model


def add_photos(
    folder: Path, source: Source, model: Model, *, progress: Progress = silent
) -> ChangeReport:
    """Add the photos of a source that an index lacks, and take up those that have changed.

    A photo is known by its path; one of a changed size, or of a changed time and content, gets a
    new place. Where it cannot be read, as when it is half written, its old place stays until it
    can. A photo whose content the index has under another path is not embedded again.

    Raises:
        IndexFormatError: no index, a damaged one, or one of an older format.
        ModelMismatchError: the index was made by another model.
        SourceError: none of the photos to add can be read, or their disk fails.
        IndexWriteError: a full disk, a read-only folder, or another process that writes there.
    """
    return _updated(folder, source, model, progress, sync=False)


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
    is still there, outside of the source, the index is not compacted by the same change, so that
    the place can be restored. A source that has
    moved as a whole is recognised by the paths below it. Photos whose places were removed by hand
    stay out, under another path too, unless it is to `forget` that they were. What was said of a
    place, and its group, go to the new place of a photo that has another path now, or under the
    same root another content.

    Raises: as `add_photos`, and SourceError where a folder of the source cannot be listed: the
        places of its photos would be removed.
    """
    if source.unlisted:
        name, reason = source.unlisted[0]
        raise SourceError(f"{source.root / name} would lose its places: {reason}, then sync again.")
    return _updated(folder, source, model, progress, sync=True, forget=forget)


def _updated(
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
    root = source.root if sync else Path(manifest.source["root"])
    outside = stored_path(source.root, root)
    if outside != skipped_name(outside) and source.root != KeptPhotos(change.folder).folder:
        raise SourceError(
            f"Photos of {skipped_name(outside)} cannot be added: its name is not UTF-8; rename "
            "that folder."
        )
    again = listed_again(contents, source, root, manifest.forgotten)
    if sync and not forget:
        forgotten: Forgotten = {**manifest.forgotten, **again}
        source = _without(source, again) if again else source
        left_out_again = len(again)
    else:
        forgotten = without(manifest.forgotten, again)
        left_out_again = 0
    delta = compare(contents, source, root)
    ids = contents.rows.place_ids
    gone = _gone(change, delta) if sync else np.empty(0, np.int64)
    heirs = delta.heirs_without(gone)
    still_there = _still_there(change, source, [row for row in gone.tolist() if row not in heirs])
    overwritten = np.array(sorted(delta.overwritten - heirs.keys()), np.int64)
    first = manifest.next_place_id
    photos = {first + at: photo for at, (photo, _) in enumerate(delta.entries)}
    copied = {
        first + at: int(ids[row]) for at, (_, row) in enumerate(delta.entries) if row is not None
    }
    names = {photo.name for photo in photos.values()}
    left_out = [] if sync else [photo for photo in manifest.skipped if photo.name not in names]
    where = {"root": str(root), "kind": source.kind if sync else manifest.source["kind"]}
    skipped: list[Skipped] = []
    duplicates: list[Duplicate] = []
    notes: list[PhotoNote] = []
    reused = 0
    if photos or len(gone):
        said = said_of_departed(change.folder, manifest, contents, change.edits)
        groups = stored_groups(change.folder, manifest)
        grouped = grouped_of_departed(change.folder, manifest, contents, groups)
        # Under another root the same path is not the same photo.
        same_root = manifest.source["root"] == str(root)
        known = photos if same_root else {}
        stored = {stored_path(photo.path, root): place for place, photo in known.items()}
        draft = replace(
            change.draft(f"{'sync' if sync else 'add'}{model.limit_in_words}", photos, copied),
            source=where,
            removed=np.union1d(manifest.removed_ids, ids[np.union1d(gone, overwritten)]),
            heirs={int(ids[row]): first + at for row, at in heirs.items()},
            rejoining={place: stored[path] for path, place in grouped.items() if path in stored},
            returning={stored[path]: edit for path, edit in said.items() if path in stored},
            skipped=left_out,
            forgotten=forgotten,
        )
        outcome = change.commit(draft, model)
        skipped, reused, notes = outcome.skipped, outcome.reused, outcome.notes
        duplicates = _duplicates(change, contents, first)
    else:
        change.rewrite(source=where, skipped=tuple(left_out), forgotten=forgotten)
    replaced = {skipped_name(name) for name in delta.replaced}
    not_changed = sum(photo.name in replaced for photo in skipped)
    added = len(photos) - len(delta.replaced) - (len(skipped) - not_changed)
    return change.report(
        added=added,
        changed=len(delta.replaced) - not_changed,
        removed=len(gone),
        copied=len(copied),
        unchanged=len(delta.seen) - len(delta.replaced),
        reused=reused,
        compacted=not still_there and compact_if_due(change),
        forgotten=left_out_again,
        still_there=still_there,
        skipped=skipped,
        duplicates=duplicates,
        notes=notes,
        intake=source.intake,
    )


def _gone(change: Change, delta: Difference) -> NDArray[np.int64]:
    """The rows of photos that the source does not list, but for those that a server keeps."""
    rows = np.setdiff1d(np.arange(len(change.contents.rows.place_ids)), [*delta.seen])
    kept, root = KeptPhotos(change.folder), Path(change.manifest.source["root"])
    paths = change.paths(change.contents.rows.place_ids[rows])
    return rows[[not kept.keeps(path, root) for path in paths]]


def _still_there(change: Change, source: Source, gone: Collection[int]) -> list[StillThere]:
    """The places of the rows `gone` whose photo is there, but not in the folder of the source."""
    contents, root = change.contents, Path(change.manifest.source["root"])
    found = []
    for row in gone:
        path = os.fsencode(contents.text("path", row))
        photo = root / os.fsdecode(path_in_source(panorama_of(path) or path))
        if not photo.is_relative_to(source.root) and os.path.isfile(photo):  # noqa: PTH113
            found.append(StillThere(int(contents.rows.place_ids[row]), str(photo)))
    return found


def _without(source: Source, paths: Container[str]) -> Source:
    """A source that lacks the photos of these paths under its root."""
    root = source.root
    kept = [photo for photo in source.photos if stored_path(photo.path, root) not in paths]
    return replace(source, photos=kept)


def _duplicates(change: Change, before: Contents, first: int) -> list[Duplicate]:
    """The places from the id `first` on whose photo is in the index once more."""
    keys = ("place_id", "name", "content")
    shards = sorted(set(change.manifest.shards) - set(before.manifest.shards))
    made = [ArrayFile(change.folder / name) for name in shards]
    if not made:
        return []
    fresh = {key: np.concatenate([shard.column(key) for shard in made]) for key in keys}
    rows = rows_alike(before.column("content"), fresh["content"])
    rows = rows[~np.isin(before.rows.place_ids[rows], change.manifest.removed_ids)]
    ids, names, content = (np.concatenate([before.column(key)[rows], fresh[key]]) for key in keys)
    order = np.argsort(ids)
    return duplicates_in(ids[order], names[order], content[order], since=first)
