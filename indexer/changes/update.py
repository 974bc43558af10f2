"""Adding photos to an index, and bringing it in line with where its photos come from."""

import os
from collections.abc import Container
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import sha256_of
from place_search.core.geodesy import both_positions
from place_search.core.progress import Progress, silent
from place_search.indexer.changes.change import Change, ChangeReport, changing
from place_search.indexer.changes.compact import compact_if_due
from place_search.indexer.changes.departed import grouped_of_departed, said_of_departed
from place_search.indexer.changes.duplicates import Duplicate, duplicates_in, rows_alike
from place_search.indexer.changes.forgotten import listed_again, without
from place_search.indexer.changes.regroup import group_views, stored_groups
from place_search.indexer.changes.version_builder import check_model
from place_search.indexer.errors import SourceError
from place_search.indexer.pipeline import skipped_name, stored_path
from place_search.indexer.places import PhotoNote, PlacePhoto
from place_search.indexer.sources.kept_views import path_in_source
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.manifest import Forgotten, Skipped
from place_search.indexer.storage.shard_reader import ArrayFile
from place_search.models import Model


def add_photos(
    folder: Path, source: Source, model: Model, *, progress: Progress | None = None
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
    progress: Progress | None = None,
) -> ChangeReport:
    """Make an index hold the photos of a source, and no others but those added over HTTP.

    As `add_photos`, and places whose photo the source does not list are removed. A source that has
    moved as a whole is recognised by the paths below it. Photos whose places were removed by hand
    stay out, under another path too, unless it is to `forget` that they were. What was said of a
    place, and its group, go to the new place of a photo that has another content or path now.

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
    progress: Progress | None,
    *,
    sync: bool,
    forget: bool = False,
) -> ChangeReport:
    with changing(Path(folder), progress or silent) as change:
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
    delta = _compare(contents, source, root)
    ids = contents.rows.place_ids
    gone = _gone(change, delta) if sync else np.empty(0, np.int64)
    heirs = delta.heirs_without(gone)
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
        stored = {stored_path(photo.path, root): place for place, photo in photos.items()}
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
        compacted=compact_if_due(change),
        forgotten=left_out_again,
        skipped=skipped,
        duplicates=duplicates,
        notes=notes,
        intake=source.intake,
    )


def _gone(change: Change, delta: "_Difference") -> NDArray[np.int64]:
    """The rows of photos that the source does not list, but for those that a server keeps."""
    rows = np.setdiff1d(np.arange(len(change.contents.rows.place_ids)), delta.seen)
    kept = KeptPhotos(change.folder)
    paths = change.paths(change.contents.rows.place_ids[rows])
    return rows[[not kept.holds(path) for path in paths]]


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


@dataclass(slots=True)
class _Difference:
    """What a source has that an index has not.

    `entries` are photos to make places of, each with a row of equal content, if there is one;
    `seen` rows are of photos that the source lists. Those of them with one of `heirs`, the number
    of its entry, get a new place under a name of `replaced`; under the path of those `overwritten`
    there is another photo now. `alike` has, by the hash of a content, its rows and the entries of
    it whose path is new, or had another content.
    """

    entries: list[tuple[PlacePhoto, int | None]] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    heirs: dict[int, int] = field(default_factory=dict)
    overwritten: set[int] = field(default_factory=set)
    alike: dict[bytes, tuple[list[int], list[int]]] = field(default_factory=dict)

    def heirs_without(self, gone: NDArray[np.int64]) -> dict[int, int]:
        """Whose place follows that of each row, by its entry, when the rows `gone` go too.

        It is that of the photo's content, wherever it is listed now, and else that of its path:
        names may be shifted or swapped. What was said of a place goes to the one that follows.
        """
        left = self.overwritten.union(gone.tolist())
        moved = {
            row: at
            for rows, entries in self.alike.values()
            for row, at in zip((row for row in rows if row in left), entries, strict=False)
        }
        taken = set(moved.values())
        return {row: at for row, at in self.heirs.items() if at not in taken} | moved

    def add(self, photo: PlacePhoto, content: bytes, rows: list[int]) -> None:
        """Make a photo of this content, which `rows` have, an entry."""
        if rows:
            self.alike.setdefault(content, (rows, []))[1].append(len(self.entries))
        self.entries.append((photo, rows[0] if rows else None))


def _compare(contents: Contents, source: Source, root: Path) -> _Difference:
    # The views of an index that was moved are stored under paths that they had before.
    paths = [path_in_source(os.fsencode(stored_path(photo.path, root))) for photo in source.photos]
    asked = set(paths)
    stored = map(path_in_source, contents.column("path").tolist())
    by_path = {path: row for row, path in enumerate(stored) if path in asked}
    sizes, contents_of = contents.column("size"), contents.column("content")
    by_size = np.argsort(sizes, kind="stable")
    sizes = sizes[by_size]
    delta = _Difference()
    for photo, path in zip(source.photos, paths, strict=True):
        row = by_path.get(path)
        if row is None:
            delta.add(photo, *_same_content(photo, contents_of, sizes, by_size))
            continue
        delta.seen.append(row)
        if _is_content(contents, row, photo):
            if _says_the_same(contents, row, photo, source.root):
                continue
            delta.entries.append((photo, row))
        else:
            delta.add(photo, *_same_content(photo, contents_of, sizes, by_size))
            delta.overwritten.add(row)
        delta.heirs[row] = len(delta.entries) - 1
        delta.replaced.append(photo.name)
    return delta


def _is_content(contents: Contents, row: int, photo: PlacePhoto) -> bool:
    """Whether a photo is still what a row was made from: by size and time, else by its hash."""
    try:
        known = contents.is_made_from(row, photo.path, by_content=False)
        return bool(
            contents.is_made_from(row, photo.path, by_content=True) if known is None else known
        )
    except OSError:
        return False


def _says_the_same(contents: Contents, row: int, photo: PlacePhoto, root: Path) -> bool:
    """Whether what the source says of a photo is what its row says: name, position and order."""
    placed = photo.position is not None or photo.utm is not None
    named = photo.name != stored_path(photo.path, root)
    ordered = photo.sequence in ("", contents.text("sequence", row)) and (
        photo.taken is None or photo.taken == contents.taken(row)
    )
    ordered &= photo.heading is None or photo.heading == contents.heading(row)
    return (
        ordered
        and not (named and photo.name != contents.text("name", row))
        and not (
            placed
            and both_positions(photo.position, photo.utm)
            != (contents.position(row), contents.utm(row))
        )
    )


def _same_content(
    photo: PlacePhoto,
    content: NDArray[np.uint8],
    sizes: NDArray[np.int64],
    by_size: NDArray[np.int64],
) -> tuple[bytes, list[int]]:
    """The hash of a photo and the rows of its content; it is read only if a row has its size.

    `sizes` are those of the rows in ascending order, which is `by_size`.
    """
    try:
        photo.name.encode()
        size = photo.path.stat().st_size
        start, end = np.searchsorted(sizes, [size, size + 1])
        if start == end:
            return b"", []
        key = bytes.fromhex(sha256_of(photo.path))
    except (OSError, UnicodeEncodeError):
        return b"", []
    same = by_size[start:end]
    alike = (content[same] == np.frombuffer(key, np.uint8)).all(axis=1)
    return key, same[alike].tolist()
