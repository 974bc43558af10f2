"""Building an index: photos in, a whole index out, or nothing that opens."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from indexer.commit import check_folder, current, pending_name, settle, sweep
from indexer.errors import SourceError
from indexer.faiss_store import EXACT_BYTES, build_store, choose_store
from indexer.files import FileStamp, lock, plain_write_errors, sync_folder, write_whole
from indexer.manifest import (
    FAISS,
    Manifest,
    Skipped,
    content_id,
    model_entry,
    number_of,
)
from indexer.photo_list import Source
from indexer.pipeline import DECODERS, StageClock, embed_photos
from indexer.places import PlacePhoto
from indexer.plan import BuildPlan, Finished, Header, Journal, ShardPlan, shard_photos
from indexer.shard_reader import ArrayFile, ShardRows
from indexer.shards import (
    JOINED,
    SHARDS,
    THUMBNAILS,
    Row,
    joined_image,
    shard_image,
    shard_name,
    thumbnails_image,
    thumbnails_name,
)
from netvlad import Model


class Progress(Protocol):
    """Is told how far a build is; `stage` is "embed", then "index"."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """So many photos of all are done; the first call of a stage says where it starts."""
        ...


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    `reused` photos were done by an earlier run that was interrupted; `seconds` are those that
    each stage was busy, summed over its threads, and the `total` that passed.
    """

    index_id: str
    places: int
    skipped: list[Skipped]
    reused: int
    seconds: dict[str, float]


def build_index(
    source: Source,
    out: Path,
    model: Model,
    *,
    progress: Progress | None = None,
    photos_per_shard: int | None = None,
    decoders: int = DECODERS,
    exact_bytes: int = EXACT_BYTES,
) -> BuildReport:
    """Index the photos of a source into the folder `out`.

    An interrupted build goes on where its last whole shard ends when it is called again. An index
    that is already there stays as it is until the new one is whole.

    Raises:
        SourceError: no photo can be read, or their disk fails.
        IndexWriteError: a full disk, a read-only folder, or one that holds other files.
        IndexBusyError: another process is writing this index.
    """
    out = Path(out)
    per_shard = photos_per_shard or shard_photos(len(source.photos), model.card.dims)
    with plain_write_errors(out):
        check_folder(out)
        out.mkdir(parents=True, exist_ok=True)
        with lock(out):
            build = _Build(source, out, model, progress or _silent, per_shard, exact_bytes)
            return build.run(decoders)


def _silent(stage: str, done: int, total: int) -> None:
    """Report progress to nobody."""


class _Build:
    """One run of `build_index`, in a folder that is locked."""

    def __init__(
        self,
        source: Source,
        out: Path,
        model: Model,
        progress: Progress,
        per_shard: int,
        exact_bytes: int,
    ) -> None:
        self.source, self.out, self.model, self.progress = source, out, model, progress
        self.exact_bytes = exact_bytes
        self.started = time.perf_counter()
        self.clock = StageClock()
        self.old = current(out)
        self.plan = BuildPlan(source, self._first_number(), per_shard)
        self.journal = Journal(out)
        self.header = Header.of(self.plan, model)

    def _first_number(self) -> int:
        numbers = [number_of(name) for name in self.old.files] if self.old else []
        return max((number for number in numbers if number is not None), default=-1) + 1

    def run(self, decoders: int) -> BuildReport:
        if self.old is not None:
            settle(self.out, self.old)
            if self._was_committed(self.old):
                return self._finish(self.old, reused=len(self.source.photos))
        keep = self._whole_shards()
        self.journal.start(self.header, keep)
        kept_names = [name for done in keep for name in done.files]
        sweep(self.out, [*kept_names, *(self.old.files if self.old else ())])
        for folder in (SHARDS, THUMBNAILS):
            (self.out / folder).mkdir(exist_ok=True)
        sync_folder(self.out)
        reused = sum(done.places + len(done.skipped) for done in keep)
        self._embed(reused, decoders)
        manifest = self._manifest()
        self.journal.commit(manifest.index_id)
        manifest.write(self.out)
        return self._finish(manifest, reused)

    def _was_committed(self, old: Manifest) -> bool:
        """Whether a run of this same plan was interrupted after its commit, while tidying up."""
        header, finished = self.journal.header, self.journal.finished
        named = {name for done in finished.values() for name in done.files}
        if header is None or self.journal.index_id != old.index_id or not named <= set(old.files):
            return False
        plan = replace(self.plan, first_number=header.first_number)
        return header == Header.of(plan, self.model) and all(
            shard.number in finished and finished[shard.number].inputs == shard.inputs()
            for shard in plan
        )

    def _whole_shards(self) -> list[Finished]:
        """The shards of an interrupted run of this plan that need not be made again."""
        if self.journal.header != self.header:
            return []
        keep = []
        for plan in self.plan:
            done = self.journal.finished.get(plan.number)
            if done and done.inputs == plan.inputs() and done.is_whole(self.out):
                keep.append(done)
        return keep

    def _embed(self, reused: int, decoders: int) -> None:
        """Make the shards that are missing, each as soon as its photos are embedded."""
        total = len(self.source.photos)
        self.progress("embed", reused, total)
        missing = [
            index
            for index in range(len(self.plan))
            if self.plan.first_number + index not in self.journal.finished
        ]
        inputs: dict[int, str] = {}

        def photos() -> Iterator[tuple[int, PlacePhoto]]:
            for index in missing:
                shard = self.plan.shard(index)
                # Before the photos are read: one that changes while they are is then noticed.
                inputs[index] = shard.inputs()
                yield from enumerate(shard.photos, shard.first_id)

        todo = iter(missing)
        shard = next(todo, None)
        rows: list[Row] = []
        skipped: list[Skipped] = []
        done = reused
        with closing(
            embed_photos(photos(), self.source.root, self.model, self.clock, decoders=decoders)
        ) as results:
            for number, result in results:
                while shard is not None and number // self.plan.shard_photos > shard:
                    self._write_shard(self.plan.shard(shard), inputs[shard], rows, skipped)
                    rows, skipped, shard = [], [], next(todo, None)
                if isinstance(result, Skipped):
                    skipped.append(result)
                else:
                    rows.append(result)
                done += 1
                self.progress("embed", done, total)
        if shard is not None:
            self._write_shard(self.plan.shard(shard), inputs[shard], rows, skipped)

    def _write_shard(
        self, shard: ShardPlan, inputs: str, rows: Sequence[Row], skipped: Sequence[Skipped]
    ) -> None:
        with self.clock.stage("write"):
            files: dict[str, FileStamp] = {}
            if rows:
                images = {
                    shard_name(shard.number): shard_image,
                    thumbnails_name(shard.number): thumbnails_image,
                }
                for name, image in images.items():
                    files[name] = write_whole(self.out / name, image(rows))
            self.journal.add(Finished(shard.number, inputs, len(rows), files, tuple(skipped)))

    def _manifest(self) -> Manifest:
        """Join the shards, build the vector store, and say what the new index is made of."""
        finished = [self.journal.finished[shard] for shard in sorted(self.journal.finished)]
        skipped = [photo for done in finished for photo in done.skipped]
        places = sum(done.places for done in finished)
        if not places:
            raise SourceError(
                f"None of the {len(skipped)} photos in {self.source.root} can be read: "
                f"{skipped[0].name}: {skipped[0].reason}."
            )
        files = {name: stamp for done in finished for name, stamp in done.files.items()}
        names = [shard_name(done.number) for done in finished if done.places]
        card = choose_store(places, self.model.card.dims, exact_bytes=self.exact_bytes)
        index_id = content_id(self.model, [files[name] for name in names], asdict(card))
        self.progress("index", 0, places)
        with self.clock.stage("index"):
            files[JOINED] = write_whole(
                self.out / pending_name(JOINED, index_id), joined_image(self.out, names)
            )
            rows = ShardRows(
                [ArrayFile(self.out / name, ["descriptors"], ["place_id"]) for name in names]
            )
            files[FAISS] = build_store(card, rows, self.out / pending_name(FAISS, index_id))
        self.progress("index", places, places)
        return Manifest(
            index_id=index_id,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            model=model_entry(self.model),
            source={"root": str(self.source.root), "kind": self.source.kind},
            store=asdict(card),
            files=files,
            places=places,
            next_place_id=len(self.source.photos),
            skipped=skipped,
        )

    def _finish(self, manifest: Manifest, reused: int) -> BuildReport:
        """Tidy up after the commit; the journal goes last, so that a killed run comes back here."""
        settle(self.out, manifest)
        sweep(self.out, manifest.files)
        self.journal.remove()
        seconds = {**self.clock.seconds(), "total": time.perf_counter() - self.started}
        return BuildReport(
            manifest.index_id, manifest.places, list(manifest.skipped), reused, seconds
        )
