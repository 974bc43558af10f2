"""Building an index: photos in, a whole index out, or nothing that opens."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from place_search.core.progress import Progress, silent
from place_search.indexer.changes.departed import grouped_of_departed, said_of_departed
from place_search.indexer.changes.difference import compare
from place_search.indexer.changes.duplicates import Duplicate, duplicates_in
from place_search.indexer.changes.regroup import group_views
from place_search.indexer.changes.shard_workers import ShardWorkers
from place_search.indexer.changes.version_builder import (
    Outcome,
    VersionBuilder,
    finish,
    first_free_number,
)
from place_search.indexer.changes.version_spec import VersionSpec
from place_search.indexer.errors import IndexFormatError, SourceError
from place_search.indexer.pipeline import StageClock, stored_path
from place_search.indexer.places import PhotoNote, PlacePhoto
from place_search.indexer.sources.kept_views import found_photo
from place_search.indexer.sources.photo_list import Intake, PhotoList, Source
from place_search.indexer.storage.commit import check_folder, current, finalize_commit, whole_paths
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.descriptor_codes import (
    INT8,
    DescriptorType,
    require_descriptor_type,
)
from place_search.indexer.storage.edits import (
    NO_EDITS,
    Edits,
    edits_file,
    read_edits,
    salvage_edits,
    write_edits,
)
from place_search.indexer.storage.groups import GROUPS, Groups, read_groups
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.lock import LOCK_NAME, lock, plain_write_errors
from place_search.indexer.storage.manifest import Manifest, Skipped, model_entry
from place_search.indexer.storage.plan import Journal, Plan, cut, shard_photos
from place_search.indexer.storage.shards import SHARDS, THUMBNAILS
from place_search.indexer.stores.store_card import (
    AUTO,
    EXACT_BYTES,
    StoreCard,
    require_store_kind,
    store_card,
)
from place_search.indexer.stores.store_files import StoreRequest
from place_search.models import Model

BROUGHT_BACK = "its place was removed, and is there again; `sync`, not `index`, leaves it out"
_UNKNOWN = (
    "which of the photos in {0} were places cannot be read from the damaged index that was there; "
    "`place-search add {1} {0}` adds them all."
)
_AWAY = (
    "{0} places of {1} were added over HTTP, and {2} with their photos is not there; bring it to "
    "{3}, or make that folder if the photos are gone for good, and index again: that drops them."
)


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    `reused` photos were done by an earlier run that was interrupted; `duplicates` have the same
    content as an earlier photo; `positioned` places have a position, in degrees or in metres;
    `notes` say what was odd about photos, and `intake` about where they are from. `seconds` are
    those that each stage was busy, summed over its threads, and the `total` that passed.
    """

    index_id: str
    places: int
    skipped: list[Skipped]
    reused: int
    seconds: dict[str, float]
    duplicates: list[Duplicate]
    manifest: Manifest
    positioned: int
    notes: list[PhotoNote]
    intake: Intake

    @property
    def store(self) -> StoreCard:
        """Which vector store the index has, and why."""
        return store_card(self.manifest)

    def to_dict(self) -> dict[str, Any]:
        """What `place-search index --json` prints."""
        return {
            "index_id": self.index_id,
            "places": self.places,
            "positions": self.positioned,
            "notes": [note._asdict() for note in self.notes],
            "skipped": [photo._asdict() for photo in self.skipped],
            "duplicates": [photo._asdict() for photo in self.duplicates],
            "reused": self.reused,
            "store": dict(self.manifest.store),
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
            **self.intake.to_dict(),
        }


def build_index(
    source: Source,
    out: Path,
    model: Model,
    *,
    progress: Progress = silent,
    photos_per_shard: int | None = None,
    store: str = AUTO,
    uri: str = "",
    workers: ShardWorkers | None = None,
    exact_bytes: int = EXACT_BYTES,
    local_features: bool = True,
    descriptor_type: DescriptorType = INT8,
) -> BuildReport:
    """Index the photos of a source into the folder `out`.

    An interrupted build goes on where its last whole shard ends when it is called again. An index
    that is already there stays as it is until the new one is whole, which has its places that were
    added over HTTP, too. `store` is a kind of vector store or `auto`, which chooses by size; `uri`
    is where the engine of a `milvus` store answers. `workers` embed the photos in place of this
    process. Without `local_features` the index is smaller and nothing in it can be verified. With
    `descriptor_type` "float32" the descriptors are kept as the model gave them, in four times the
    bytes.

    Raises:
        SourceError: no photo can be read, or their disk fails; the folder of photos that were added
            over HTTP is not there.
        IndexWriteError: a full disk, a read-only folder, or one that holds other files; a store or
            a type of descriptors that there is not.
        IndexBusyError: another process is writing this index.
        StoreOutageError: the engine of a `milvus` store does not answer.
        ClusterError: the workers fail.
    """
    out = Path(out)
    require_store_kind(store)
    require_descriptor_type(descriptor_type)
    local_features = local_features and model.local_features is not None
    started = time.perf_counter()
    clock = StageClock()
    with plain_write_errors(out):
        check_folder(out)
        with _made_for_photos(out), lock(out):
            old, listed = current(out), len(source.photos)
            if old is not None:
                source = _with_kept_photos(source, out, old)
            per_shard = photos_per_shard or shard_photos(len(source.photos), model.card.dims)
            request = StoreRequest(store, exact_bytes, uri=uri)
            draft = _draft(
                source,
                model,
                old,
                per_shard,
                request,
                listed=listed,
                local_features=local_features,
                descriptor_type=descriptor_type,
            )
            if old is not None:
                draft = _with_what_people_said(out, draft, old, source)
            outcome = None
            if old is not None:
                finalize_commit(out, old)
                journal = Journal(out)
                if _was_committed(draft, old, journal):
                    finish(out, old, journal)
                    outcome = Outcome(old, list(old.skipped), len(source.photos), [])
            builder = VersionBuilder(
                out, draft, old=old, model=model, progress=progress, clock=clock, workers=workers
            )
            back = [] if old is None or outcome else _brought_back(old, source)
            report = _report(out, source, outcome or builder.run(), clock, started)
            report.notes.extend(back)
            KeptPhotos(out).settle(report.manifest)  # no removed place is left to be restored
    if source.panoramas:
        group_views(out)
    return report


@contextmanager
def _made_for_photos(out: Path) -> Iterator[None]:
    """Make a folder where it is not there, and take it away where no photo can be read."""
    was_there = out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except SourceError:
        if was_there:
            raise
        # Where a disk failed, shards may be done: folders with files in them stay, and all else.
        with suppress(OSError):
            for folder in (SHARDS, THUMBNAILS):
                (out / folder).rmdir()
            Journal(out).path.unlink(missing_ok=True)
            (out / LOCK_NAME).unlink()
            out.rmdir()
        raise


def _draft(
    source: Source,
    model: Model,
    old: Manifest | None,
    per_shard: int,
    store: StoreRequest,
    *,
    listed: int,
    local_features: bool,
    descriptor_type: DescriptorType,
) -> VersionSpec:
    photos = source.photos
    parts = cut(range(len(photos)), per_shard)
    without = "" if local_features else " without cells"
    verifier = model.verifier if local_features else None
    verified = "" if verifier is None else f" verified by {verifier.fingerprint}"
    return VersionSpec(
        request=f"index {store.requested} {descriptor_type}{without}{verified}"
        f"{model.limit_in_words}",
        plan=Plan(first_free_number(old), parts, photos),
        model_entry=model_entry(model),
        verifier_entry=None if verifier is None else model_entry(verifier),
        source={"root": str(source.root), "kind": source.kind},
        next_place_id=len(photos),
        store=store,
        listed=listed,
        local_features=local_features,
        descriptor_type=descriptor_type,
    )


def _with_kept_photos(source: Source, out: Path, old: Manifest) -> Source:
    """The source with the photos of places that were added over HTTP, which no source lists."""
    kept, root = KeptPhotos(out), Path(old.source["root"])
    known: dict[Path, PlacePhoto] = {}
    try:
        contents = Contents(old, old.paths(out))
        for row, stored in enumerate(contents.column("path").tolist()):
            path = kept.found(root / stored.decode())
            if kept.keeps(path, root):
                known[path] = contents.photo(row, path)
    except IndexFormatError:
        unknown = [_UNKNOWN.format(kept.folder, out)] if any(kept.folder.glob("*.jpg")) else []
        return replace(source, warnings=(*source.warnings, *unknown))
    if not known:
        return source
    for photo in source.photos:
        known.pop(photo.path, None)
    away = [at for at in known if not at.parent.exists() and not kept.folder.exists()]
    if away:
        raise SourceError(_AWAY.format(len(away), out, away[0].parent, kept.folder))
    photos = PhotoList(source.root)
    for photo in chain(source.photos, known.values()):
        photos.append_as(stored_path(photo.path, source.root), photo)
    return replace(source, photos=photos)


def _with_what_people_said(
    out: Path, draft: VersionSpec, old: Manifest, source: Source
) -> VersionSpec:
    """The draft of an index that is made again, with edits and groups of the one that is there."""
    if not edits_file(old.files) and GROUPS not in old.files:
        return draft
    listed = {stored_path(photo.path, source.root): at for at, photo in enumerate(source.photos)}
    edits, groups = _readable_edits(out, old), _groups_of_hand(out, old)
    same_root = old.source["root"] == str(source.root)
    try:
        contents = Contents(old, old.paths(out))
        paths = contents.column("path").tolist()
        row_of = {place: row for row, place in enumerate(contents.rows.place_ids.tolist())}
        follows = _following(contents, source)
        said = said_of_departed(out, old, contents, edits)
        grouped = grouped_of_departed(out, old, contents, groups)
    except IndexFormatError:
        # Nobody knows which photo the edit of a place was about.
        paths, row_of, follows, said, grouped = [], {}, {}, dict(edits.by_path), {}
    if not same_root:
        said, grouped = {}, {}
    by_place = {listed[path]: edit for path, edit in said.items() if path in listed}
    grouped_at = {listed[path]: place for path, place in grouped.items() if path in listed}
    kept = KeptPhotos(out)
    for place in {*edits.by_place, *groups.place_id.tolist()} & row_of.keys():
        row = row_of[place]
        if row in follows:
            if place in edits.by_place:
                by_place[follows[row]] = edits.by_place[place]
            grouped_at[follows[row]] = place
        elif same_root:
            path = _path_now(paths[row].decode(), source, kept)
            said |= {path: edits.by_place[place]} if place in edits.by_place else {}
            grouped[path] = place
    # What was said of photos that are not there now waits for them, if it is they that may come.
    by_path = {path: edit for path, edit in said.items() if path not in listed}
    away = [path for path in grouped if path not in listed]
    waiting = {path: draft.next_place_id + at for at, path in enumerate(away)}
    new = {place: at for at, place in grouped_at.items()}
    new |= {grouped[path]: at for path, at in waiting.items()}
    return replace(
        draft,
        edits=write_edits(out, replace(edits, by_place=by_place, by_path=by_path)),
        new_groups=replace(groups.renumbered(new), waiting=waiting) if new else None,
        next_place_id=draft.next_place_id + len(waiting),
    )


def _following(contents: Contents, source: Source) -> dict[int, int]:
    """Which photo of a source follows that of each row, by its number: as `sync` has it."""
    numbers = {photo.path: at for at, photo in enumerate(source.photos)}
    delta = compare(contents, source, source.root)
    gone = np.setdiff1d(np.arange(len(contents.rows.place_ids)), [*delta.seen])
    stays = {row: at for row, at in delta.seen.items() if row not in delta.overwritten}
    heirs = delta.heirs_without(gone)
    return stays | {row: numbers[delta.entries[at][0].path] for row, at in heirs.items()}


def _path_now(stored: str, source: Source, kept: KeptPhotos) -> str:
    """The path that a photo is stored under today: what is beside the index may have moved."""
    path = Path(stored)
    return stored_path(found_photo(path, kept), source.root) if path.is_absolute() else stored


def _readable_edits(out: Path, old: Manifest) -> Edits:
    """What can be read of what people have said, and always which fields there are."""
    if not edits_file(old.files):
        return NO_EDITS
    try:
        return read_edits(out, old.files)
    except IndexFormatError:
        return salvage_edits(out / edits_file(old.files))


def _groups_of_hand(out: Path, old: Manifest) -> Groups:
    """The groups that were made by hand, where they can be read."""
    if GROUPS not in old.files:
        return Groups()
    try:
        return read_groups(whole_paths(out, old)[GROUPS]).only_held()
    except IndexFormatError:
        return Groups()


def _was_committed(draft: VersionSpec, old: Manifest, journal: Journal) -> bool:
    """Whether a run of this same draft was interrupted after its commit, while tidying up."""
    header = journal.header
    if header is None or not journal.has_committed(old):
        return False
    plan = replace(draft.plan, first_number=int(header.get("first_number", 0)))
    return header == replace(draft, plan=plan).header and all(
        shard.number in journal.finished and journal.finished[shard.number].inputs == shard.inputs()
        for shard in plan
    )


def _brought_back(old: Manifest, source: Source) -> list[PhotoNote]:
    """What is to be said of photos whose places were removed from the index before."""
    removed = {*old.forgotten} if old.source["root"] == str(source.root) else set()
    return [
        PhotoNote(photo.name, BROUGHT_BACK)
        for photo in (source.photos if removed else ())
        if stored_path(photo.path, source.root) in removed
    ]


def _report(
    out: Path, source: Source, outcome: Outcome, clock: StageClock, started: float
) -> BuildReport:
    manifest = outcome.manifest
    contents = Contents(manifest, manifest.paths(out))
    duplicates = duplicates_in(
        contents.rows.place_ids, contents.column("name"), contents.column("content")
    )
    seconds = {**clock.seconds(), "total": time.perf_counter() - started}
    return BuildReport(
        index_id=manifest.index_id,
        places=manifest.places,
        skipped=outcome.skipped,
        reused=outcome.reused,
        seconds=seconds,
        duplicates=duplicates,
        manifest=manifest,
        positioned=contents.count_positions(read_edits(out, manifest.files)),
        notes=outcome.notes,
        intake=source.intake,
    )
