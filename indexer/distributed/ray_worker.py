"""The code for nodes of a Ray cluster: embedding the photos of a shard, and writing it."""

import atexit
import pickle
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from shutil import rmtree
from socket import gethostname
from tempfile import TemporaryDirectory, gettempdir, mkdtemp
from typing import Any, TypeAlias

from place_search.core.errors import PlaceSearchError, unwritable
from place_search.core.files import stamp_of, write_whole
from place_search.core.version import program_version
from place_search.indexer.distributed.staging import ObjectStoreStaging
from place_search.indexer.errors import ClusterError, SourceError
from place_search.indexer.pipeline import (
    NOT_READ,
    StageClock,
    embed_photos,
    skipped_name,
    stored_path,
)
from place_search.indexer.places import PlacePhoto
from place_search.indexer.storage.commit import pending_name
from place_search.indexer.storage.descriptor_codes import INT8, DescriptorType
from place_search.indexer.storage.manifest import Skipped
from place_search.indexer.storage.plan import FinishedShard
from place_search.indexer.storage.shards import Row, notes_of, shard_files
from place_search.models import Model, Precision, open_model

OpenModel: TypeAlias = Callable[[], Model]
RayRow: TypeAlias = dict[str, Any]
"""A row of Ray Data."""
Outcome: TypeAlias = tuple[int, Row | Skipped]
"""What became of the photo of a place id."""


@dataclass(frozen=True, slots=True)
class Task:
    """A photo to embed; `name` is its name in the exchange, '' without one.

    `refusal` is the reason why the driver could not read it for the exchange, '' if it could.
    """

    place_id: int
    photo: PlacePhoto
    name: str
    mtime_ns: int
    refusal: str = ""


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

    def __init__(self, opened: OpenModel, fingerprint: str, version: str, exchange: str) -> None:
        self._exchange = ObjectStoreStaging(exchange) if exchange else None
        self._model = opened()
        self._error: PlaceSearchError | None = None  # told by a job: Ray starts failed actors again
        node = f"The node {gethostname()} of the Ray cluster"
        if program_version() != version:
            self._error = ClusterError(
                f"{node} has version {program_version()} of place-search, and this machine "
                f"{version}; install the same version everywhere."
            )
        elif self._model.fingerprint != fingerprint:
            self._error = ClusterError(
                f"{node} has other weights or a processor of another kind, which gives other "
                "descriptors; install the same weights everywhere, or use --precision f32."
            )

    def __call__(self, item: RayRow) -> RayRow:
        """Embed the photos of a job. Returns its shard, or the error."""
        job: Job = pickle.loads(item["job"])  # noqa: S301 - the driver's own
        try:
            if self._error is not None:
                raise self._error
            outcomes = self._embed(job)
        except SourceError as error:
            return _failed(SourceError(f"On the node {gethostname()} of the cluster, {error}"))
        except PlaceSearchError as error:
            return _failed(error)
        except OSError as error:  # of the scratch folder: those of photos are `SourceError`
            return _failed(_unwritable_on_node(error.filename or gettempdir(), error))
        rows = [outcome for _, outcome in outcomes if isinstance(outcome, Row)]
        skipped = [(number, photo) for number, photo in outcomes if isinstance(photo, Skipped)]
        images = shard_files(job.number, rows, job.descriptor_type)
        files = {name: bytes(content) for name, content in images}
        stamps = {name: stamp_of(content) for name, content in files.items()}
        reasons = tuple(photo for _, photo in skipped)
        fields = job.number, job.inputs, len(rows), stamps, reasons, notes_of(rows)
        not_read = {number for number, photo in skipped if photo.reason in NOT_READ}
        paths = [task.photo.path for task in job.tasks if task.place_id in not_read]
        return {
            "error": b"",
            "finished": pickle.dumps(FinishedShard(*fields)),
            "files": pickle.dumps(files),
            "not_read": pickle.dumps((gethostname(), paths)),
            "id": "",
        }

    def _embed(self, job: Job) -> list[Outcome]:
        """The outcomes of all tasks of a job, in their order."""
        if self._exchange is None:
            photos = [(task.place_id, task.photo) for task in job.tasks]
            return self._outcomes(photos, job.root, keep=job.local_features)
        refused = [
            (task.place_id, Skipped(skipped_name(task.photo.name), task.refusal))
            for task in job.tasks
            if task.refusal
        ]
        tasks = {task.place_id: task for task in job.tasks if not task.refusal}
        with TemporaryDirectory(prefix="place-search-") as scratch:
            folder = Path(scratch)
            photos = []
            for place_id, task in tasks.items():
                path = folder / str(place_id)
                self._exchange.take_photo(task.name, path, task.mtime_ns)
                photos.append((place_id, replace(task.photo, path=path)))
            outcomes = self._outcomes(photos, folder, keep=job.local_features)
        renamed = [
            (number, replace(row, path=stored_path(tasks[number].photo.path, job.root)))
            if isinstance(row, Row)
            else (number, row)
            for number, row in outcomes
        ]
        return sorted([*renamed, *refused], key=itemgetter(0))

    def _outcomes(
        self, photos: list[tuple[int, PlacePhoto]], root: Path, *, keep: bool
    ) -> list[Outcome]:
        clock = StageClock()
        return list(
            embed_photos(photos, root, self._model, clock, decoders=1, keep_local_features=keep)
        )


def write_shard(item: RayRow, *, folder: str, exchange: str, kind: str) -> RayRow:
    """Write a shard's files into the index or the exchange.

    In the index they have pending names of their own, as another node may be writing the same shard
    that was believed dead. The driver gives them their names.

    Returns: the finished shard and the `id` of its pending names, or the error.
    """
    if item["error"]:
        return item
    shard: FinishedShard = pickle.loads(item["finished"])  # noqa: S301 - an actor's own
    files: dict[str, bytes] = pickle.loads(item["files"])  # noqa: S301
    own_id = uuid.uuid4().hex[:16]
    try:
        if exchange:
            ObjectStoreStaging(exchange).put_shard(shard, files, kind)
        else:
            for name, content in files.items():
                write_whole(Path(folder) / pending_name(name, own_id), content)
    except PlaceSearchError as error:
        return _failed(error)
    except OSError as error:
        return _failed(_unwritable_on_node(folder, error))
    return {**item, "files": b"", "id": own_id}


def _failed(error: PlaceSearchError) -> RayRow:
    """The row of a job that failed, with the columns of all rows."""
    nothing: RayRow = dict.fromkeys(("finished", "files", "not_read"), b"")
    return {**nothing, "error": pickle.dumps(error), "id": ""}


def _unwritable_on_node(path: str, error: OSError) -> ClusterError:
    return ClusterError(unwritable(f"{path} on the node {gethostname()}", error))


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
