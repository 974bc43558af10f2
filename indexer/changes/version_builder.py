"""Making the next version of an index, in a folder that is locked.

A change drafts the next version as a `VersionSpec`; `VersionBuilder` makes and commits it.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from place_search.core.files import FileStamp, changed_ns, sync_folder, write_whole
from place_search.core.geodesy import both_positions
from place_search.core.progress import Progress, silent
from place_search.indexer.changes.shard_workers import ShardWorkers
from place_search.indexer.changes.version_spec import VersionSpec
from place_search.indexer.errors import IndexWriteError, ModelMismatchError
from place_search.indexer.pipeline import (
    MISSING_FILE,
    StageClock,
    embed_photos,
    none_readable_error,
    skipped_name,
    stored_path,
)
from place_search.indexer.places import PhotoNote, PlacePhoto
from place_search.indexer.storage.array_file import ArrayFile, opened_file
from place_search.indexer.storage.commit import (
    collect_garbage,
    finalize_commit,
    matches_stamp,
    pending_name,
    share_new_files,
)
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.groups import GROUPS
from place_search.indexer.storage.manifest import (
    Manifest,
    Skipped,
    content_id,
    encode_ids,
    number_of,
    store_file,
)
from place_search.indexer.storage.plan import Entry, FinishedShard, Journal, ShardPlan
from place_search.indexer.storage.shard_reader import ShardRows
from place_search.indexer.storage.shards import (
    JOINED,
    SHARDS,
    THUMBNAILS,
    Row,
    joined_image,
    notes_of,
    shard_files,
    shard_name,
)
from place_search.indexer.stores.store_files import plan_store, write_store
from place_search.models import Model


@dataclass(frozen=True, slots=True)
class Outcome:
    """A new version: its manifest, skipped photos, notes, and photos `reused` of an earlier run."""

    manifest: Manifest
    skipped: list[Skipped]
    reused: int
    notes: list[PhotoNote]


def first_free_number(old: Manifest | None) -> int:
    """The first number above those of all shards of a version."""
    numbers = [number_of(name) for name in old.files] if old else []
    return max((number for number in numbers if number is not None), default=-1) + 1


def check_model(model: Model, manifest: Manifest, folder: Path) -> None:
    """Make sure that a model's descriptors go with those of a version.

    Raises:
        ModelMismatchError: the version was made by another model.
    """
    made_by = manifest.model
    if not manifest.is_made_by(model, folder):
        raise ModelMismatchError(
            f"{folder} was made with model '{made_by['id']}' ({made_by['fingerprint'][:8]}) and "
            f"cannot take photos described by '{model.card.id}' ({model.fingerprint[:8]}); use "
            "its own model."
        )
    if manifest.local_features and not manifest.keeps_features_of(model, folder):
        index_verifier = (manifest.verifier or made_by)["id"]
        verifier = (model.verifier or model).card.id
        raise ModelMismatchError(
            f"{folder} keeps local features of '{index_verifier}' and cannot take those of "
            f"'{verifier}'; leave out --verify-with, or index the photos again."
        )


class VersionBuilder:
    """A run that makes the version of a draft."""

    def __init__(
        self,
        folder: Path,
        draft: VersionSpec,
        *,
        old: Manifest | None = None,
        contents: Contents | None = None,
        model: Model | None = None,
        progress: Progress = silent,
        clock: StageClock | None = None,
        workers: ShardWorkers | None = None,
    ) -> None:
        """`contents` are those of `old`, where the draft keeps shards or copies rows of it.

        `workers`, if given, make the shards, none of which may copy rows.
        """
        self.folder, self.draft, self.old, self.contents = folder, draft, old, contents
        self.model, self.progress, self.clock = model, progress, clock or StageClock()
        self.journal, self.workers = Journal(folder), workers
        self._old_files = old.files if old else {}

    def run(self) -> Outcome:
        """Make the missing shards, and commit."""
        whole_shards = self._whole_shards()
        kept_files = [name for shard in whole_shards for name in shard.files]
        # Before anything is written: what another change has left may be what fills the disk.
        collect_garbage(self.folder, [*self._old_files, *kept_files, *self.draft.edits])
        self.journal.start(self.draft.header, whole_shards)
        for folder in (SHARDS, THUMBNAILS):
            (self.folder / folder).mkdir(exist_ok=True)
        sync_folder(self.folder)
        reused = sum(shard.places + len(shard.skipped) for shard in whole_shards)
        self._make_shards(reused)
        manifest = self._manifest()
        self.journal.commit(manifest.index_id)
        share_new_files(self.folder, manifest, self._old_files)
        manifest.write(self.folder)
        finish_commit(self.folder, manifest, self.journal)
        skipped = [photo for shard in self._finished() for photo in shard.skipped]
        notes = [note for shard in self._finished() for note in shard.notes]
        return Outcome(manifest, skipped, reused, notes)

    def _finished(self) -> list[FinishedShard]:
        return [self.journal.finished[number] for number in sorted(self.journal.finished)]

    def _whole_shards(self) -> list[FinishedShard]:
        """The shards of an interrupted run of this draft that need not be made again."""
        if self.journal.header != self.draft.header:
            return []
        whole_shards = []
        for plan in self.draft.plan:
            shard = self.journal.finished.get(plan.number)
            if shard and shard.inputs == plan.inputs() and shard.is_whole(self.folder):
                whole_shards.append(shard)
        return whole_shards

    def _make_shards(self, reused: int) -> None:
        """Make the shards that are missing, each as soon as its photos are embedded."""
        plan = self.draft.plan
        self.progress("Describing", reused, plan.places)
        finished = self.journal.finished
        missing = [at for at in range(len(plan)) if plan.first_number + at not in finished]
        if self.workers is not None:
            self._make_with_workers(self.workers, missing, reused)
            return
        waiting: dict[int, tuple[ShardPlan, str]] = {}
        root = Path(self.draft.source["root"])
        places = reused
        with closing(self._embed(missing, waiting, root)) as results:
            for index in missing:
                rows: list[Row] = []
                skipped: list[Skipped] = []
                for entry in plan.shard(index).entries:
                    outcome = self._copy(entry, root)
                    if outcome is None:
                        number, outcome = next(results)
                        assert number == entry.place_id  # noqa: S101 - photos come in their order
                    if isinstance(outcome, Skipped):
                        skipped.append(outcome)
                    else:
                        rows.append(outcome)
                    places += 1
                    self.progress("Describing", places, plan.places)
                # Photos are read ahead of this loop; a shard without photos is not planned yet.
                shard, inputs = waiting.pop(index) if index in waiting else self._plan_shard(index)
                self._write_shard(shard, inputs, rows, skipped)

    def _embed(
        self, missing: Sequence[int], waiting: dict[int, tuple[ShardPlan, str]], root: Path
    ) -> Generator[tuple[int, Row | Skipped], None, None]:
        """The rows of the photos of the missing shards; none without a model."""
        if self.model is not None:
            photos, keep = self._photos(missing, waiting), self.draft.local_features
            yield from embed_photos(photos, root, self.model, self.clock, keep_local_features=keep)

    def _photos(
        self, missing: Sequence[int], waiting: dict[int, tuple[ShardPlan, str]]
    ) -> Iterator[tuple[int, PlacePhoto]]:
        """The photos to embed for the missing shards; `waiting` gets each shard and its inputs."""
        for index in missing:
            # Planned before the photos are read: a photo that changes meanwhile is then noticed.
            waiting[index] = planned = self._plan_shard(index)
            for entry in planned[0].entries:
                if entry.photo is not None and entry.copied_from is None:
                    yield entry.place_id, entry.photo

    def _make_with_workers(
        self, workers: ShardWorkers, missing: Sequence[int], described: int
    ) -> None:
        """Let `workers` make the missing shards."""
        root = Path(self.draft.source["root"])
        shards = [self.draft.plan.shard(index) for index in missing]
        for finished in workers.make(
            self.folder,
            root,
            shards,
            local_features=self.draft.local_features,
            descriptor_type=self.draft.descriptor_type,
        ):
            self.journal.add(finished)
            described += finished.places + len(finished.skipped)
            self.progress("Describing", described, self.draft.plan.places)

    def _plan_shard(self, index: int) -> tuple[ShardPlan, str]:
        """A shard to make, with the hash of its inputs."""
        shard = self.draft.plan.shard(index)
        return shard, shard.inputs()

    def _copy(self, entry: Entry, root: Path) -> Row | Skipped | None:
        """The row that is copied from the old version; None for a photo to embed."""
        if entry.copied_from is None or self.contents is None:
            return None
        at = int(np.searchsorted(self.contents.rows.place_ids, entry.copied_from))
        row = replace(self.contents.row(at), place_id=entry.place_id)
        if entry.photo is None:
            return row
        photo = entry.photo
        try:
            mtime_ns = changed_ns(photo.path.stat())
        except OSError:
            return Skipped(photo.name, MISSING_FILE)
        if photo.is_placed:
            position, utm = both_positions(photo.position, photo.utm)
            row = replace(row, position=position, utm=utm)
        path = skipped_name(stored_path(photo.path, root))
        sequence = photo.sequence or row.sequence
        return replace(
            row,
            name=photo.name,
            path=path,
            mtime_ns=mtime_ns,
            sequence=sequence,
            taken=row.taken if photo.taken is None else photo.taken,
            heading=row.heading if photo.heading is None else photo.heading,
        )

    def _write_shard(
        self, shard: ShardPlan, inputs: str, rows: Sequence[Row], skipped: Sequence[Skipped]
    ) -> None:
        with self.clock.stage("write"):
            files = {
                name: write_whole(self.folder / name, content)
                for name, content in shard_files(shard.number, rows, self.draft.descriptor_type)
            }
            fields = shard.number, inputs, len(rows), files, tuple(skipped), notes_of(rows)
            self.journal.add(FinishedShard(*fields))

    def _manifest(self) -> Manifest:
        """Join the shards, write the vector store, and give the manifest of the new version."""
        draft, finished = self.draft, self._finished()
        files = self._kept_files() | dict(draft.groups)
        first_ids = self._kept_first_ids()
        for shard in finished:
            files.update(shard.files)
            if shard.places:
                part = draft.plan.parts[shard.number - draft.plan.first_number]
                first_ids[shard_name(shard.number)] = int(part[0])
        names = sorted(first_ids, key=first_ids.__getitem__)
        skipped = [photo for shard in finished for photo in shard.skipped]
        if not names:
            raise none_readable_error(skipped, draft.source["root"])
        shards = self._open_shards(names)
        made_ids = ShardRows(shards).stored_ids
        if draft.listed_count and made_ids[0] >= draft.listed_count:
            raise none_readable_error(skipped, draft.source["root"])
        draft = self.draft.with_places_made(self.folder, made_ids)
        files |= dict(draft.edits)
        rows = ShardRows(shards, draft.removed)
        if not len(rows):
            raise IndexWriteError(
                f"No place would be left in {self.folder}; delete the folder if that is what you "
                "want."
            )
        plan = plan_store(draft.store, rows.place_ids, rows.shape[1])
        card, name = plan.card, store_file(plan.card.kind)
        index_id = content_id(
            str(draft.model_entry["fingerprint"]),
            [files[name] for name in names],
            draft.removed,
            card.kind,
            plan.max_place_id,
        )
        self.progress("Indexing", 0, len(rows))
        with self.clock.stage("index"):
            files[JOINED] = write_whole(
                self.folder / pending_name(JOINED, index_id),
                joined_image(self.folder, names, rows.removed, self._old_joined_path()),
            )
            if plan.action == "keep":
                files[name] = self._old_files[name]
            else:
                card, stamp = write_store(
                    plan, self.folder / name, rows, self.folder / pending_name(name, index_id)
                )
                if stamp is not None:
                    files[name] = stamp
        groups = draft.groups_to_write(self.folder)
        if groups is not None:
            pending = self.folder / pending_name(GROUPS, index_id)
            files[GROUPS] = write_whole(pending, groups.to_bytes())
        self.progress("Indexing", len(rows), len(rows))
        return Manifest(
            index_id=index_id,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            model=draft.model_entry,
            source=draft.source,
            store=card.to_json(),
            files=files,
            shards=names,
            places=len(rows),
            tombstones=encode_ids(draft.removed),
            next_place_id=draft.next_place_id,
            skipped=[*draft.skipped, *skipped],
            local_features=draft.local_features,
            verifier=draft.verifier_entry,
            forgotten=draft.forgotten,
            descriptor_type=draft.descriptor_type,
        )

    def _old_joined_path(self) -> Path | None:
        """The joined dataset of the old version, if shards are kept of it and it is whole."""
        if self.old is None or not (self.old.local_features and self.draft.kept_shards):
            return None
        path, stamp = self.folder / JOINED, self.old.files.get(JOINED)
        return path if stamp is not None and matches_stamp(path, stamp) else None

    def _kept_files(self) -> dict[str, FileStamp]:
        names = [
            name.replace(SHARDS, folder)
            for name in self.draft.kept_shards
            for folder in (SHARDS, THUMBNAILS)
        ]
        return {name: self._old_files[name] for name in names}

    def _kept_first_ids(self) -> dict[str, int]:
        if self.contents is None:
            return {}
        first = self.contents.first_ids()
        return {name: first[name] for name in self.draft.kept_shards}

    def _open_shards(self, names: Sequence[str]) -> list[ArrayFile]:
        """The shards of the new version, opened."""
        return [opened_file(self.folder / name) for name in names]


def finish_commit(folder: Path, manifest: Manifest, journal: Journal) -> None:
    """Tidy up after a commit; the journal goes last: after a kill the next run tidies up."""
    finalize_commit(folder, manifest)
    collect_garbage(folder, manifest.files)
    journal.remove()
