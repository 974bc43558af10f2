"""Building an index from photos: the index is whole, or does not open."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from place_search.core.errors import shell_command
from place_search.core.progress import Progress, silent
from place_search.indexer.changes.difference import compare
from place_search.indexer.changes.duplicates import Duplicate, duplicates_in
from place_search.indexer.changes.kept_files import settle_kept_files
from place_search.indexer.changes.missing_photos import edits_of_missing, groups_of_missing
from place_search.indexer.changes.regroup import group_views
from place_search.indexer.changes.shard_workers import ShardWorkers
from place_search.indexer.changes.version_builder import (
    Outcome,
    VersionBuilder,
    finish_commit,
    first_free_number,
)
from place_search.indexer.changes.version_spec import VersionSpec
from place_search.indexer.errors import IndexFormatError, SourceError
from place_search.indexer.pipeline import StageClock, stored_path
from place_search.indexer.places import PhotoNote, PlacePhoto
from place_search.indexer.sources.kept_views import find_photo
from place_search.indexer.sources.photo_list import Intake, PhotoList, Source
from place_search.indexer.storage.commit import (
    check_folder,
    checked_paths,
    current_manifest,
    finalize_commit,
)
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
from place_search.indexer.storage.plan import Journal, Plan, shard_photos, split_ids
from place_search.indexer.storage.shards import SHARDS, THUMBNAILS
from place_search.indexer.stores.store_card import (
    AUTO,
    EXACT_BYTES,
    StoreCard,
    store_address,
    store_card,
)
from place_search.indexer.stores.store_files import StoreRequest
from place_search.models import Model

BROUGHT_BACK = "its place was removed, and is there again; `sync`, not `index`, leaves it out"
_KEPT_PHOTOS_UNKNOWN = (
    "which of the photos in {0} were places cannot be read from the damaged index that was there; "
    "{1} adds them all."
)
_KEPT_PHOTOS_MISSING = (
    "{0} places of {1} were added over HTTP, and {2} with their photos is not there; bring it to "
    "{3}, or make that folder if the photos are gone for good, and index again: that drops them."
)


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The result of a build.

    `reused` photos were embedded by an earlier, interrupted run; `duplicates` repeat the content of
    an earlier photo; `positioned` places have a position; `notes` are on oddities of photos, and
    `intake` on their source. `seconds` are the busy time by stage, over all threads, and `total`.
    """

    index_id: str
    places: int
    skipped: list[Skipped]
    reused: int
    seconds: dict[str, float]
    duplicates: list[Duplicate]
    manifest: Manifest = field(repr=False)  # its card alone takes pages
    positioned: int
    notes: list[PhotoNote]
    intake: Intake

    @property
    def store(self) -> StoreCard:
        """The card of the vector store: its kind, and the reason for it."""
        return store_card(self.manifest)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `place-search index --json` prints."""
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

    When it is called again, an interrupted build goes on after its last whole shard. An index in
    `out` stays until the new index is whole, which keeps the places that were added over HTTP.
    `store` is a kind of vector store or `auto`, which chooses by size; `uri` is the address of the
    engine of a `milvus` store. `workers` embed the photos in place of this process. An index
    without `local_features` is smaller, but its places cannot be verified. With `descriptor_type`
    "float32" descriptors keep the model's numbers, in four times the bytes.

    Raises:
        SourceError: no photo can be read, or their disk fails; the folder of photos that were added
            over HTTP is not there.
        IndexWriteError: a full disk, a read-only folder, or one that holds other files; an unknown
            kind of store, address of its engine or type of descriptors.
        IndexBusyError: another process is writing this index.
        StoreOutageError: the engine of a `milvus` store does not answer.
        ClusterError: the workers fail.
    """
    out = Path(out)
    uri = store_address(store, uri)
    require_descriptor_type(descriptor_type)
    local_features = local_features and model.local_features is not None
    started, clock = time.perf_counter(), StageClock()
    with plain_write_errors(out):
        KeptPhotos(out).require_short_name()
        check_folder(out)
        with _new_folder(out), lock(out):
            old, listed_count = current_manifest(out), len(source.photos)
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
                listed_count=listed_count,
                local_features=local_features,
                descriptor_type=descriptor_type,
            )
            outcome = None
            if old is not None:
                draft = _with_edits_and_groups(out, draft, old, source)
                finalize_commit(out, old)
                journal = Journal(out)
                if _was_committed(draft, old, journal):
                    finish_commit(out, old, journal)
                    outcome = Outcome(old, list(old.skipped), len(source.photos), [])
            builder = VersionBuilder(
                out, draft, old=old, model=model, progress=progress, clock=clock, workers=workers
            )
            notes = [] if old is None or outcome else _brought_back_notes(old, source)
            report = _report(out, source, outcome or builder.run(), clock, started)
            report.notes.extend(notes)
            settle_kept_files(out, report.manifest)  # no removed place can be restored any more
    if source.panoramas:
        group_views(out)
    return report


@contextmanager
def _new_folder(out: Path) -> Iterator[None]:
    """Make the folder where it does not exist, and delete it where no photo can be read."""
    existed = out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except SourceError:
        if existed:
            raise
        # Where a disk failed, shards may be finished: then the folders and the journal stay.
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
    listed_count: int,
    local_features: bool,
    descriptor_type: DescriptorType,
) -> VersionSpec:
    parts = split_ids(range(len(source.photos)), per_shard)
    without = "" if local_features else " without cells"
    verifier = model.verifier if local_features else None
    verified = "" if verifier is None else f" verified by {verifier.fingerprint}"
    return VersionSpec(
        request=f"index {store.requested} {descriptor_type}{without}{verified}"
        f"{model.limit_in_words}",
        plan=Plan(first_free_number(old), parts, source.photos),
        model_entry=model_entry(model),
        verifier_entry=None if verifier is None else model_entry(verifier),
        source={"root": str(source.root), "kind": source.kind},
        next_place_id=len(source.photos),
        store=store,
        listed_count=listed_count,
        local_features=local_features,
        descriptor_type=descriptor_type,
    )


def _with_kept_photos(source: Source, out: Path, old: Manifest) -> Source:
    """The source, and the photos of places that were added over HTTP, which no source lists."""
    kept_photos, root = KeptPhotos(out), old.root
    folder = kept_photos.folder
    added: dict[Path, PlacePhoto] = {}
    try:
        contents = Contents(old, old.paths(out))
        for row, stored in enumerate(contents.column("path").tolist()):
            path = kept_photos.find(root / stored.decode())
            if kept_photos.keeps(path, root):
                added[path] = contents.photo(row, path)
    except IndexFormatError:
        unknown = _KEPT_PHOTOS_UNKNOWN.format(folder, shell_command("add", out, folder))
        warnings = [unknown] if any(folder.glob("*.jpg")) else []
        return replace(source, warnings=(*source.warnings, *warnings))
    if not added:
        return source
    for photo in source.photos:
        added.pop(photo.path, None)
    missing = [path for path in added if not path.parent.exists() and not folder.exists()]
    if missing:
        raise SourceError(_KEPT_PHOTOS_MISSING.format(len(missing), out, missing[0].parent, folder))
    photos = PhotoList(source.root)
    for photo in chain(source.photos, added.values()):
        photos.append_as(stored_path(photo.path, source.root), photo)
    return replace(source, photos=photos)


def _with_edits_and_groups(
    out: Path, draft: VersionSpec, old: Manifest, source: Source
) -> VersionSpec:
    """The draft of an index that is made again, with the edits and groups of the old index."""
    if not edits_file(old.files) and GROUPS not in old.files:
        return draft
    numbers = {stored_path(photo.path, source.root): n for n, photo in enumerate(source.photos)}
    edits, groups = _readable_edits(out, old), _groups_made_by_hand(out, old)
    same_root = old.source["root"] == str(source.root)
    try:
        contents = Contents(old, old.paths(out))
        stored = contents.column("path").tolist()
        row_of = {place: row for row, place in enumerate(contents.rows.place_ids.tolist())}
        successors = _successors_of_rows(contents, source)
        path_edits = edits_of_missing(out, old, contents, edits)
        path_groups = groups_of_missing(out, old, contents, groups)
    except IndexFormatError:
        # The photos of the edited places are unknown, so that edits by place are lost.
        stored, row_of, successors, path_edits, path_groups = [], {}, {}, dict(edits.by_path), {}
    if not same_root:
        path_edits, path_groups = {}, {}
    by_place = {numbers[path]: edit for path, edit in path_edits.items() if path in numbers}
    old_places = {numbers[path]: place for path, place in path_groups.items() if path in numbers}
    kept_photos = KeptPhotos(out)
    for place in {*edits.by_place, *groups.place_id.tolist()} & row_of.keys():
        row = row_of[place]
        if row in successors:
            if place in edits.by_place:
                by_place[successors[row]] = edits.by_place[place]
            old_places[successors[row]] = place
        elif same_root:
            path = _current_path(stored[row].decode(), source, kept_photos)
            path_edits |= {path: edits.by_place[place]} if place in edits.by_place else {}
            path_groups[path] = place
    # Edits and groups of absent photos wait for these photos.
    by_path = {path: edit for path, edit in path_edits.items() if path not in numbers}
    absent = [path for path in path_groups if path not in numbers]
    waiting = {path: draft.next_place_id + number for number, path in enumerate(absent)}
    new_ids = {place: number for number, place in old_places.items()}
    new_ids |= {path_groups[path]: number for path, number in waiting.items()}
    return replace(
        draft,
        edits=write_edits(out, replace(edits, by_place=by_place, by_path=by_path)),
        new_groups=replace(groups.renumbered(new_ids), waiting=waiting) if new_ids else None,
        next_place_id=draft.next_place_id + len(waiting),
    )


def _successors_of_rows(contents: Contents, source: Source) -> dict[int, int]:
    """The number of the source's photo that succeeds each row, as `sync` finds it."""
    numbers = {photo.path: number for number, photo in enumerate(source.photos)}
    delta = compare(contents, source, source.root)
    unlisted = np.setdiff1d(np.arange(len(contents.rows.place_ids)), [*delta.listed])
    stays = {row: number for row, number in delta.listed.items() if row not in delta.overwritten}
    successors = delta.successors_without(unlisted)
    return stays | {row: numbers[delta.entries[entry][0].path] for row, entry in successors.items()}


def _current_path(stored: str, source: Source, kept_photos: KeptPhotos) -> str:
    """The current stored path of a photo: kept photos and views may have moved with the index."""
    path = Path(stored)
    return stored_path(find_photo(path, kept_photos), source.root) if path.is_absolute() else stored


def _readable_edits(out: Path, old: Manifest) -> Edits:
    """The edits, or what can be read of a damaged file of edits."""
    if not edits_file(old.files):
        return NO_EDITS
    try:
        return read_edits(out, old.files)
    except IndexFormatError:
        return salvage_edits(out / edits_file(old.files))


def _groups_made_by_hand(out: Path, old: Manifest) -> Groups:
    """The groups that were made by hand, where they can be read."""
    if GROUPS not in old.files:
        return Groups()
    try:
        return read_groups(checked_paths(out, old)[GROUPS]).made_by_hand()
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


def _brought_back_notes(old: Manifest, source: Source) -> list[PhotoNote]:
    """Notes on photos whose places were removed from the index before."""
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
    return BuildReport(
        index_id=manifest.index_id,
        places=manifest.places,
        skipped=outcome.skipped,
        reused=outcome.reused,
        seconds={**clock.seconds(), "total": time.perf_counter() - started},
        duplicates=duplicates,
        manifest=manifest,
        positioned=contents.count_positions(read_edits(out, manifest.files)),
        notes=outcome.notes,
        intake=source.intake,
    )
