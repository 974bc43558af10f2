"""Embedding spread over the nodes of a Ray cluster, with Ray Data; this process does the rest.

The plan is that of a local run, so that ids, order and files are the same. Each shard is one task
of embedding and one of writing: a node that dies costs no more than its current shards.
"""

import logging
import os
import pickle
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from place_search.core.files import changed_ns, sync_folder
from place_search.core.version import program_version
from place_search.indexer.distributed.ray_worker import (
    EmbedShard,
    Job,
    OpenModel,
    RayRow,
    Task,
    ship_model,
    write_shard,
)
from place_search.indexer.distributed.staging import ObjectStoreStaging, photo_name
from place_search.indexer.errors import ClusterError
from place_search.indexer.pipeline import NotReadError, read_photo
from place_search.indexer.storage.commit import matches_stamp, pending_name
from place_search.indexer.storage.descriptor_codes import DescriptorType
from place_search.indexer.storage.plan import FinishedShard, ShardPlan
from place_search.models import Model

EMBED_CPUS = 0.75
"""The share of a CPU for embedding, so that a node with one CPU both embeds and writes."""
WRITE_CPUS = 0.25
"""The share of a CPU for writing."""
STALL_SECONDS = 3600.0
"""Seconds without a finished shard after which a cluster counts as stuck."""


class RayWorkers:
    """Makes shards on a Ray cluster: that of RAY_ADDRESS, or a cluster of this machine alone."""

    def __init__(
        self,
        model: Model,
        *,
        exchange: str = "",
        opened: OpenModel | None = None,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        """`exchange` is the URL for photos and shards where nodes share no disk with this machine.

        `opened` opens the model on a node; by default the model's files are copied to the node.

        Raises:
            ClusterError: Ray is not installed, or the exchange cannot be used.
        """
        # Else a thread that still waits for a lost cluster would start another one.
        os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
        try:
            import ray  # noqa: F401 - is it installed?
        except ImportError:
            raise ClusterError(
                "Ray is not installed; run: pip install 'place-search[ray]'."
            ) from None
        self._opened = opened or ship_model(model)
        self._fingerprint = model.fingerprint
        self._verifier = model.verifier and model.verifier.fingerprint
        self._limit = model.limit_in_words  # beyond it, photos are skipped
        self._exchange = ObjectStoreStaging(exchange) if exchange else None
        self._stall_seconds = stall_seconds

    def make(
        self,
        folder: Path,
        root: Path,
        shards: Sequence[ShardPlan],
        *,
        local_features: bool,
        descriptor_type: DescriptorType,
    ) -> Iterator[FinishedShard]:
        """Make these shards, in any order; each is in the index folder when it is yielded.

        Raises:
            SourceError: the cause is not a photo itself, as when a disk fails.
            ClusterError: the cluster or the exchange fails; finished shards are kept.
        """
        exchange = self._exchange and self._exchange.of_index(folder)
        jobs = [
            replace(
                _job(shard, root, with_names=exchange is not None),
                local_features=local_features,
                descriptor_type=descriptor_type,
            )
            for shard in shards
        ]
        # The exchange keeps shards of interrupted runs under this key.
        kind = f"{self._fingerprint}-{descriptor_type}{self._limit}"
        if not local_features:
            kind += "-without-cells"
        if local_features and self._verifier is not None:
            kind += f"-verified-by-{self._verifier}"
        if exchange is not None:
            finished = exchange.finished(kind)
            for job in [job for job in jobs if job.number in finished]:
                finished_shard = finished[job.number]
                if finished_shard.inputs == job.inputs:
                    exchange.take_shard(finished_shard, folder)
                    yield finished_shard
                    jobs.remove(job)
            photos = ((task.name, task.photo.path) for job in jobs for task in job.tasks)
            refusals = exchange.upload_photos(photos, root)
            jobs = [_with_refusals(job, refusals) for job in jobs]
        if jobs:
            yield from self._run_jobs(jobs, folder.resolve(), kind, exchange)
        if exchange is not None:
            exchange.clear(folder)

    def _run_jobs(
        self,
        jobs: Sequence[Job],
        folder: Path,
        kind: str,
        exchange: ObjectStoreStaging | None,
    ) -> Iterator[FinishedShard]:
        import ray

        with _cluster(), _ray_errors():
            resources: dict[str, float] = ray.cluster_resources()
            cpus, url = int(resources.get("CPU", 0)), exchange.url if exchange else ""
            if not cpus:
                raise ClusterError("The Ray cluster has no CPUs; start nodes that have some.")
            data = ray.data.from_items(
                [{"job": pickle.dumps(job)} for job in jobs], override_num_blocks=len(jobs)
            )
            embedded = data.map(
                EmbedShard,
                fn_constructor_args=(self._opened, self._fingerprint, program_version(), url),
                compute=ray.data.ActorPoolStrategy(size=min(cpus, len(jobs))),
                num_cpus=EMBED_CPUS,
            )
            # Not a Datasink, which reports only at the end: a run that is killed before would lose
            # its finished shards.
            written_shards = embedded.map(
                partial(write_shard, folder=str(folder), exchange=url, kind=kind),
                num_cpus=WRITE_CPUS,
            )
            for item in _rows_with_timeout(written_shards, self._stall_seconds):
                if item["error"]:
                    raise pickle.loads(item["error"])  # noqa: S301 - an actor's own
                finished_shard: FinishedShard = pickle.loads(item["finished"])  # noqa: S301
                if exchange is not None:
                    exchange.take_shard(finished_shard, folder)
                else:
                    node, not_read = pickle.loads(item["not_read"])  # noqa: S301
                    _require_same_view(not_read, jobs[0].root, node)
                    take_files(finished_shard, folder, item["id"])
                yield finished_shard


def _job(shard: ShardPlan, root: Path, *, with_names: bool) -> Job:
    # Hashed before the photos are read: a photo that changes meanwhile is then noticed.
    inputs = shard.inputs()
    tasks = []
    for entry in shard.entries:
        assert entry.photo is not None  # noqa: S101 - only photos are planned for a cluster
        try:
            mtime_ns = changed_ns(entry.photo.path.stat())
        except OSError:
            mtime_ns = 0
        name = photo_name(entry.photo.path, root) if with_names else ""
        tasks.append(Task(entry.place_id, entry.photo, name, mtime_ns))
    return Job(shard.number, inputs, root, tuple(tasks))


def _with_refusals(job: Job, refusals: Mapping[str, str]) -> Job:
    tasks = (replace(task, refusal=refusals.get(task.name, "")) for task in job.tasks)
    return replace(job, tasks=tuple(tasks))


def _require_same_view(paths: Sequence[Path], root: Path, node: str) -> None:
    """Make sure that a node sees the photos as this machine does, which cannot read these either.

    Raises:
        ClusterError: the node does not see the photos as this machine does.
        SourceError: the disk of the photos fails.
    """
    for path in paths:
        with suppress(NotReadError):
            read_photo(path, root)
            raise ClusterError(
                f"The node {node} of the Ray cluster cannot read {path}, but this machine can; let "
                "all nodes read the photos under the same paths, or name an --exchange."
            )


def take_files(shard: FinishedShard, folder: Path, own_id: str) -> None:
    """Give the files that a node has written into an index their names.

    Raises:
        ClusterError: they are not there.
    """
    for name, stamp in shard.files.items():
        pending = folder / pending_name(name, own_id)
        if not matches_stamp(pending, stamp, by_size=True):
            raise ClusterError(
                f"A node of the Ray cluster has written {pending}, which is not on this machine; "
                f"let all nodes share the folder {folder}, or name an --exchange."
            )
        pending.replace(folder / name)
        sync_folder((folder / name).parent)


@contextmanager
def _cluster() -> Iterator[None]:
    """A connection to the cluster inside the block."""
    import ray

    if ray.is_initialized():
        yield
        return
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = os.environ.get("RAY_ADDRESS", "this machine")
        raise ClusterError(
            f"The Ray cluster at {where} cannot be reached ({str(error).splitlines()[0]}); check "
            "RAY_ADDRESS and that the cluster runs."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _ray_errors() -> Iterator[None]:
    import ray

    try:
        yield
    except ray.exceptions.RayError as error:
        reason = [line for line in str(error).splitlines() if line.strip()][-1][:300]
        raise ClusterError(
            f"The Ray cluster failed ({reason.strip()}); run the same command again: finished "
            "work is kept."
        ) from error


def _rows_with_timeout(data: Any, seconds: float) -> Iterator[RayRow]:
    """The rows of a dataset as they come; a thread fetches them, as fetching may never return.

    Raises:
        ClusterError: nothing came for `seconds`.
    """
    import ray

    ray.data.DataContext.get_current().enable_progress_bars = False
    results: queue.Queue[RayRow | BaseException | None] = queue.Queue()

    def fetch() -> None:
        try:
            for item in data.iter_rows():
                results.put(item)
            results.put(None)
        except BaseException as error:
            results.put(error)

    threading.Thread(target=fetch, name="ray", daemon=True).start()
    while True:
        try:
            item = results.get(timeout=seconds)
        except queue.Empty:
            raise ClusterError(
                f"The Ray cluster has finished nothing for {seconds:g} s; look at its nodes, then "
                "run the same command again: finished work is kept."
            ) from None
        if item is None:
            return
        if isinstance(item, BaseException):
            raise item
        yield item
