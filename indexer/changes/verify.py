"""Verifying all files of an index, and repairing what can be repaired.

No file is parsed before its checksum holds. The small columns of every shard are also in its pack
of thumbnails, so that a damaged shard can be made again from its photos.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from place_search.core.files import sha256_of
from place_search.core.geodesy import Position, Utm
from place_search.core.progress import Progress, silent
from place_search.indexer.changes.change import Change
from place_search.indexer.changes.version_builder import VersionBuilder, check_model
from place_search.indexer.errors import CollectionLostError, IndexFormatError, IndexWriteError
from place_search.indexer.index import Index
from place_search.indexer.places import PlacePhoto
from place_search.indexer.sources.kept_views import find_photo
from place_search.indexer.storage.array_file import ArrayFile
from place_search.indexer.storage.commit import finalize_commit, matches_stamp, pending_name
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.edits import edits_file, read_edits, salvage_edits, write_edits
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.lock import lock, plain_write_errors
from place_search.indexer.storage.manifest import (
    CHANGEABLE,
    MANIFEST,
    Manifest,
    Skipped,
    is_fixed_name,
    read_manifest,
)
from place_search.indexer.storage.shard_reader import ShardRows
from place_search.indexer.storage.shards import JOINED, TABLE, pack_of
from place_search.models import Model

_CHANGED = "its photo is another one now; `place-search sync` takes that in"


class Defect(NamedTuple):
    """A file of an index, and what is wrong with it."""

    file: str
    what: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The result of a verification, and of a repair.

    `problems` are those of the version that was verified. After a repair `index_id` is that of the
    new version, `repaired` are the files that were made again, and `lost` the lost places.
    """

    index_id: str
    places: int
    files: int
    bytes: int
    problems: list[Defect]
    repaired: list[str] = field(default_factory=list)
    lost: list[Skipped] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether the index is whole now."""
        return not self.problems or bool(self.repaired)


def verify_index(folder: Path, *, progress: Progress = silent) -> VerifyReport:
    """Check every checksum, count and id, the joined dataset, and the vector store.

    Raises:
        IndexFormatError: no index, or a manifest that is damaged: then nothing else can be checked.
        IndexReadError: a file may not or cannot be read, and may be whole.
    """
    folder = Path(folder)
    tried: Manifest | None = None
    while True:
        manifest = read_manifest(folder)
        problems = list(_problems(folder, manifest, progress))
        # A writer may have put a new version in place meanwhile.
        if not problems or manifest == tried:
            return VerifyReport(
                manifest.index_id,
                manifest.places,
                len(manifest.files),
                manifest.bytes,
                problems,
            )
        tried = manifest


def repair_index(
    folder: Path, model: Callable[[], Model], *, progress: Progress = silent
) -> VerifyReport:
    """Verify an index, and repair it; `model` is called only if photos must be embedded.

    Damaged shards are made from their photos, the joined dataset and the vector store from the
    shards. Places whose photo is missing or has another content now, and places of a shard that is
    damaged together with its pack of thumbnails, are lost: they are listed, and removed.

    Raises:
        IndexFormatError: no index, a damaged manifest, no place that remains, or an older format.
        IndexReadError: a file may not or cannot be read, and may be whole.
        ModelMismatchError: the index was made by another model.
        IndexWriteError: a full disk, a read-only folder, or another process that writes there.
    """
    folder = Path(folder)
    read_manifest(folder)
    with plain_write_errors(folder), lock(folder):
        manifest = read_manifest(folder)
        finalize_commit(folder, manifest)
        report = verify_index(folder, progress=progress)
        if not report.problems:
            return report
        if manifest.format_version < CHANGEABLE:
            raise IndexFormatError(
                f"{folder} was made by an older place-search and cannot be repaired by this one; "
                "index the photos again."
            )
        repaired, lost = _repair(folder, manifest, report.problems, model, progress)
        repaired_report = verify_index(folder)
        if repaired_report.problems:
            file, fault = repaired_report.problems[0]
            raise IndexWriteError(
                f"{folder} could not be repaired ({file} {fault}); check the disk, then index the "
                "photos again."
            )
        return replace(repaired_report, problems=report.problems, repaired=repaired, lost=lost)


def _problems(folder: Path, manifest: Manifest, progress: Progress) -> Iterator[Defect]:
    """All problems, but for those that follow from a damaged file."""
    any_damaged = False
    checked_bytes, total_bytes = 0, manifest.bytes
    progress("Verifying", 0, total_bytes)
    for name, stamp in sorted(manifest.files.items()):
        path = _current_path(folder, manifest, name)
        if not matches_stamp(path, stamp):
            any_damaged, exists = True, path.is_file()
            yield Defect(name, "is damaged: its checksum does not hold" if exists else "is missing")
        checked_bytes += stamp.bytes
        progress("Verifying", checked_bytes, total_bytes)
    if any_damaged:
        return
    try:
        paths = {name: _current_path(folder, manifest, name) for name in manifest.files}
        contents = Contents(manifest, paths)
        contents.check()
        yield from _content_problems(contents, paths)
        for reason in _store_problems(Index(folder, manifest)):
            yield Defect(manifest.store_file, f"does not fit the shards: {reason}")
    except IndexFormatError as error:
        yield Defect(MANIFEST, f"does not fit its files: {error}")


def _store_problems(index: Index) -> list[str]:
    try:
        return index.verify_store()
    except CollectionLostError as error:
        return [str(error)]


def _content_problems(contents: Contents, paths: dict[str, Path]) -> Iterator[Defect]:
    """The problems inside of files whose checksums hold."""
    manifest = contents.manifest
    for name, shard, pack in zip(
        manifest.shards, contents.shards, contents.thumbnails, strict=True
    ):
        count = shard.shape("descriptors")[0]
        chunks = ShardRows([shard]).chunks()
        norms = np.concatenate([np.linalg.norm(chunk, axis=1) for chunk in chunks])
        if not (np.abs(norms - 1) < 1e-3).all():
            yield Defect(name, "holds descriptors that are not of norm 1")
        offsets = pack.column("offset")
        if len(offsets) != count + 1 or (np.diff(offsets) < 0).any():
            yield Defect(pack_of(name), "does not fit its shard")
    with h5py.File(paths[JOINED], "r", locking=False) as joined:
        ids = np.asarray(joined["place_id"][()])
        if not np.array_equal(ids, contents.rows.stored_ids):
            yield Defect(JOINED, "does not show the places of the shards")
        if "removed" in joined and not np.array_equal(joined["removed"][()], contents.rows.removed):
            yield Defect(JOINED, "does not show which places are removed")


def _current_path(folder: Path, manifest: Manifest, name: str) -> Path:
    pending = folder / pending_name(name, manifest.index_id)
    plain = folder / name
    if is_fixed_name(name) and pending.is_file() and not matches_stamp(plain, manifest.files[name]):
        return pending
    return plain


def _repair(
    folder: Path,
    manifest: Manifest,
    problems: list[Defect],
    model: Callable[[], Model],
    progress: Progress,
) -> tuple[list[str], list[Skipped]]:
    """Commit a version without the problems. Returns the repaired files and the lost places."""
    bad_files = {problem.file for problem in problems}
    files_of_shard = {name: (name, pack_of(name)) for name in manifest.shards}
    damaged_shards = [name for name in manifest.shards if bad_files & set(files_of_shard[name])]
    whole_shards = [name for name in manifest.shards if name not in damaged_shards]
    paths = manifest.paths(folder)
    photos: dict[int, PlacePhoto] = {}
    parts: list[list[int]] = []
    changed: dict[int, str] = {}
    lost: list[Skipped] = []
    for name in damaged_shards:
        witness = next((file for file in files_of_shard[name] if file not in bad_files), None)
        if witness is None:
            lost.append(Skipped(name, "all places of this shard: their list is damaged too"))
            continue
        shard_photos, shard_changed = _photos_of(paths[witness], folder, manifest)
        changed.update(shard_changed)
        if shard_photos:
            photos.update(shard_photos)
            parts.append(sorted(shard_photos))
    lost += [Skipped(path, _CHANGED) for path in changed.values()]
    if not whole_shards and not parts:
        reason = "the photos have changed" if changed else "the lists of all its places are damaged"
        raise IndexFormatError(f"{folder} cannot be repaired: {reason}; index the photos again.")
    contents = Contents(replace(manifest, shards=whole_shards), paths) if whole_shards else None
    stored = contents.rows.stored_ids if contents else np.empty(0, np.int64)
    base = Change(folder, manifest, progress).draft("repair")
    if bad_files & base.edits.keys():
        name = edits_file(base.edits)
        base = replace(base, edits=write_edits(folder, salvage_edits(folder / name)))
    if changed and base.edits:
        # Edits wait by path: the photo that `sync` finds under a path gets the edit of the old one.
        edits = read_edits(folder, base.edits)
        by_place = {place: edit for place, edit in edits.by_place.items() if place not in changed}
        by_path = {
            path: edits.by_place[place]
            for place, path in changed.items()
            if place in edits.by_place
        }
        edits = replace(edits, by_place=by_place, by_path={**edits.by_path, **by_path})
        base = replace(base, edits=write_edits(folder, edits))
    rebuilt = damaged_shards or manifest.store_file in bad_files
    draft = replace(
        base,
        plan=replace(base.plan, parts=parts, photos=photos),
        store=replace(base.store, old=None) if rebuilt else base.store,
        kept_shards=whole_shards,
        removed=np.intersect1d(manifest.removed_ids, stored),
    )
    opened = None
    if parts:
        opened = model()
        check_model(opened, manifest, folder)
    outcome = VersionBuilder(
        folder, draft, old=manifest, contents=contents, model=opened, progress=progress
    ).run()
    return sorted(bad_files), [*lost, *outcome.skipped]


def _photos_of(
    witness: Path, folder: Path, manifest: Manifest
) -> tuple[dict[int, PlacePhoto], dict[int, str]]:
    """The photos of a shard's places, and the stored paths of changed photos, both by place id.

    A photo is identified by its content, so that names may be swapped within the shard.
    """
    shard = ArrayFile(witness)
    table = {key: shard.column(key) for key in TABLE}
    root, kept_photos = manifest.root, KeptPhotos(folder)
    rows = np.flatnonzero(~np.isin(table["place_id"], manifest.removed_ids)).tolist()
    made_from = {row: table["content"][row].tobytes() for row in rows}
    stored = {row: table["path"][row].decode() for row in rows}
    paths = {row: find_photo(root / path, kept_photos) for row, path in stored.items()}
    current = {row: _sha256(path) for row, path in paths.items()}
    row_of_moved = {current[row]: row for row in rows if current[row] != made_from[row]}
    photos, changed = {}, {}
    for row in rows:
        place_id, content = int(table["place_id"][row]), made_from[row]
        # Unreadable photos are left to the pipeline, which says why.
        source_row = (
            row
            if current[row] == content
            else row_of_moved.pop(content, None if current[row] else row)
        )
        if source_row is None:
            changed[place_id] = stored[row]
            continue
        name = table["name"][row].decode()
        latitude, longitude = float(table["latitude"][row]), float(table["longitude"][row])
        easting, northing = float(table["easting"][row]), float(table["northing"][row])
        photos[place_id] = PlacePhoto(
            path=paths[source_row],
            name=stored[source_row] if name == stored[row] else name,
            position=None if np.isnan(latitude) else Position(latitude, longitude),
            utm=None if np.isnan(easting) else Utm(easting, northing, table["zone"][row].decode()),
            sequence=table["sequence"][row].decode(),
            taken=_number_or_none(table["taken"][row]),
            heading=_number_or_none(table["heading"][row]),
        )
    return photos, changed


def _sha256(photo: Path) -> bytes:
    """The sha256 of a photo; empty where it cannot be read."""
    try:
        return bytes.fromhex(sha256_of(photo))
    except OSError:
        return b""


def _number_or_none(number: float) -> float | None:
    return None if np.isnan(number) else float(number)
