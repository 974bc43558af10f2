"""The code for nodes of a Ray cluster: embedding the photos of a shard, and writing it."""

import atexit
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, TypeAlias

from place_search.core.errors import PlaceSearchError
from place_search.core.files import stamp_of, write_whole
from place_search.indexer.distributed.staging import ObjectStoreStaging
from place_search.indexer.errors import ModelMismatchError
from place_search.indexer.pipeline import StageClock, embed_photos, stored_path
from place_search.indexer.places import PlacePhoto
from place_search.indexer.storage.descriptor_codes import INT8, DescriptorType
from place_search.indexer.storage.manifest import Skipped
from place_search.indexer.storage.plan import FinishedShard
from place_search.indexer.storage.shards import Row, notes_of, shard_files
from place_search.models import Model, Precision, open_model

OpenModel: TypeAlias = Callable[[], Model]
RayRow: TypeAlias = dict[str, Any]
"""A row of Ray Data."""


@dataclass(frozen=True, slots=True)
class Task:
    """A photo to embed; `name` is its name in the exchange, '' without one."""

    place_id: int
    photo: PlacePhoto
    name: str
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Job:
    """A shard to make."""

    number: int
    inputs: str
    root: Path
    tasks: tuple[Task, ...]
    local_features: bool = True
    descriptor_type: DescriptorType = INT8


class EmbedShard:
    """An actor with a model, which makes the bytes of a shard's two files."""

    def __init__(self, opened: OpenModel, fingerprint: str, exchange: str) -> None:
        self._model = opened()
        if self._model.fingerprint != fingerprint:
            raise ModelMismatchError(
                "The nodes of the cluster have another version of place-search, whose descriptors "
                "differ; install the same one everywhere."
            )
        self._exchange = ObjectStoreStaging(exchange) if exchange else None

    def __call__(self, item: RayRow) -> RayRow:
        """Embed the photos of a job. Returns its shard, or the error."""
        job: Job = pickle.loads(item["job"])  # noqa: S301 - the driver's own
        try:
            rows, skipped = self._embed(job)
        except PlaceSearchError as error:
            return {"error": str(error), "finished": b"", "files": b""}
        images = shard_files(job.number, rows, job.descriptor_type)
        files = {name: bytes(content) for name, content in images}
        stamps = {name: stamp_of(content) for name, content in files.items()}
        fields = job.number, job.inputs, len(rows), stamps, tuple(skipped), notes_of(rows)
        return {
            "error": "",
            "finished": pickle.dumps(FinishedShard(*fields)),
            "files": pickle.dumps(files),
        }

    def _embed(self, job: Job) -> tuple[list[Row], list[Skipped]]:
        if self._exchange is None:
            photos = [(task.place_id, task.photo) for task in job.tasks]
            return self._rows(photos, job.root, keep=job.local_features)
        with TemporaryDirectory(prefix="place-search-") as scratch:
            folder = Path(scratch)
            photos = []
            for task in job.tasks:
                path = folder / str(task.place_id)
                if task.name:
                    self._exchange.take_photo(task.name, path, task.mtime_ns)
                photos.append((task.place_id, replace(task.photo, path=path)))
            rows, skipped = self._rows(photos, folder, keep=job.local_features)
        paths = {task.place_id: stored_path(task.photo.path, job.root) for task in job.tasks}
        return [replace(row, path=paths[row.place_id]) for row in rows], skipped

    def _rows(
        self, photos: list[tuple[int, PlacePhoto]], root: Path, *, keep: bool
    ) -> tuple[list[Row], list[Skipped]]:
        clock = StageClock()
        embedded = embed_photos(
            photos, root, self._model, clock, decoders=1, keep_local_features=keep
        )
        outcomes = [outcome for _, outcome in embedded]
        rows = [row for row in outcomes if isinstance(row, Row)]
        skipped = [photo for photo in outcomes if isinstance(photo, Skipped)]
        return rows, skipped


def write_shard(item: RayRow, *, folder: str, exchange: str, kind: str) -> RayRow:
    """Write a shard's files into the index or the exchange. Returns the finished shard."""
    if not item["error"]:
        shard: FinishedShard = pickle.loads(item["finished"])  # noqa: S301 - an actor's own
        files: dict[str, bytes] = pickle.loads(item["files"])  # noqa: S301
        if exchange:
            ObjectStoreStaging(exchange).put_shard(shard, files, kind)
        else:
            for name, content in files.items():
                write_whole(Path(folder) / name, content)
    return {"error": item["error"], "finished": item["finished"]}


def ship_model(model: Model) -> OpenModel:
    """A function that opens a model on any node: it carries the files of model and verifier."""
    verifier = None if model.verifier is None else ship_model(model.verifier)
    folder = model.folder
    assert folder is not None  # noqa: S101 - it was opened from there
    files = {name: (folder / name).read_bytes() for name in ("card.toml", *model.card.opened_files)}
    dims = model.card.dims if model.card.cropped else None
    return partial(_open, files, dims, model.card.precision, model.max_pixels, verifier)


def _open(
    files: Mapping[str, bytes],
    dims: int | None,
    precision: Precision,
    max_pixels: int,
    verifier: OpenModel | None,
) -> Model:
    # The files stay: the graph is read again for a photo of another shape.
    folder = Path(mkdtemp(prefix="place-search-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    # One thread: there is an actor for each CPU.
    opened = open_model(
        folder,
        mode="throughput",
        threads=1,
        dims=dims,
        precision=precision,
        max_pixels=max_pixels,
    )
    return opened.with_verifier(None if verifier is None else verifier())
