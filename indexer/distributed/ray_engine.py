"""Embedding spread over the nodes of a Ray cluster, with Ray Data; all else happens here.

The plan is that of a local run, so that ids, order and files are the same. Each shard is one task
of embedding and one of writing: a node that dies costs no more than the shards it was at.
"""

import logging
import os
import pickle
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

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
from place_search.indexer.errors import ClusterError, SourceError
from place_search.indexer.storage.descriptor_codes import DescriptorType
from place_search.indexer.storage.plan import Finished, ShardPlan
from place_search.models import Model

EMBED_CPUS = 0.75
WRITE_CPUS = 0.25
"""Shares of a CPU, so that a node with one of them both embeds and writes."""
STALL_SECONDS = 3600.0
"""Without any shard in so long, a cluster is taken to be stuck."""


class RayWorkers:
    """Makes shards on a Ray cluster: that of RAY_ADDRESS, or one of this machine alone."""

    def __init__(
        self,
        model: Model,
        *,
        exchange: str = "",
        opened: OpenModel | None = None,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        """With an `exchange`, nodes share no disk with this machine: photos and shards go there.

        `opened` opens the model on a node, in place of a copy of its files.

        Raises:
            ClusterError: Ray is not installed, or the exchange cannot be used.
        """
        # Else a thread that still asks a lost cluster would start another one.
        os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
        try:
            import ray  # noqa: F401 - only to know
        except ImportError:
            raise ClusterError(
                "Ray is not installed; run: pip install 'place-search[ray]'."
            ) from None
        self._opened = opened or ship_model(model)
        self._fingerprint = model.fingerprint
        self._verifier = model.verifier and model.verifier.fingerprint
        self._url = exchange
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
    ) -> Iterator[Finished]:
        """Make these shards, in any order; each is in the index folder when it comes.

        Raises:
            SourceError: the trouble is not a photo's own, as when a disk fails.
            ClusterError: the cluster or the exchange fails; what was finished is kept.
        """
        named = self._exchange is not None
        jobs = [
            replace(
                _job(shard, root, named=named),
                local_features=local_features,
                descriptor_type=descriptor_type,
            )
            for shard in shards
        ]
        # Under this the exchange keeps shards of interrupted runs.
        kind = f"{self._fingerprint}-{descriptor_type}"
        if not local_features:
            kind += "-without-cells"
        if local_features and self._verifier is not None:
            kind += f"-verified-by-{self._verifier}"
        if self._exchange is not None:
            there = self._exchange.finished(kind)
            for job in [job for job in jobs if job.number in there]:
                done = there[job.number]
                if done.inputs == job.inputs:
                    self._exchange.take_shard(done, folder)
                    yield done
                    jobs.remove(job)
            self._exchange.offer(
                (task.photo.path for job in jobs for task in job.tasks if task.name), root
            )
        if jobs:
            for done in self._made(jobs, folder.resolve(), kind):
                if self._exchange is not None:
                    self._exchange.take_shard(done, folder)
                yield done
        if self._exchange is not None:
            self._exchange.clear()

    def _made(self, jobs: Sequence[Job], folder: Path, kind: str) -> Iterator[Finished]:
        import ray

        with _cluster(), _plain_failures():
            resources: dict[str, float] = ray.cluster_resources()
            cpus = int(resources.get("CPU", 0))
            if not cpus:
                raise ClusterError("The Ray cluster has no CPUs; start nodes that have some.")
            data = ray.data.from_items(
                [{"job": pickle.dumps(job)} for job in jobs], override_num_blocks=len(jobs)
            )
            embedded = data.map(
                EmbedShard,
                fn_constructor_args=(self._opened, self._fingerprint, self._url),
                compute=ray.data.ActorPoolStrategy(size=min(cpus, len(jobs))),
                num_cpus=EMBED_CPUS,
            )
            # Not a Datasink: that tells only at the end what was written, and a run that is
            # killed before would lose it.
            written = embedded.map(
                partial(write_shard, folder=str(folder), exchange=self._url, kind=kind),
                num_cpus=WRITE_CPUS,
            )
            for item in _watched(written, self._stall_seconds):
                if item["error"]:
                    raise SourceError(item["error"])
                yield pickle.loads(item["done"])  # noqa: S301 - an actor's own


def _job(shard: ShardPlan, root: Path, *, named: bool) -> Job:
    # Before the photos are read: one that changes while they are is then noticed.
    inputs = shard.inputs()
    tasks = []
    for entry in shard.entries:
        assert entry.photo is not None  # noqa: S101 - only photos are planned for a cluster
        try:
            mtime_ns = entry.photo.path.stat().st_mtime_ns
        except OSError:
            mtime_ns = 0
        name = photo_name(entry.photo.path, root) if named else ""
        tasks.append(Task(entry.place_id, entry.photo, name, mtime_ns))
    return Job(shard.number, inputs, root, tuple(tasks))


@contextmanager
def _cluster() -> Iterator[None]:
    """A connection to the cluster, for as long as it is needed."""
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
def _plain_failures() -> Iterator[None]:
    import ray

    try:
        yield
    except ray.exceptions.RayError as error:
        reason = [line for line in str(error).splitlines() if line.strip()][-1][:300]
        raise ClusterError(
            f"The Ray cluster failed ({reason.strip()}); run the same command again: finished "
            "work is kept."
        ) from error


def _watched(data: Any, seconds: float) -> Iterator[RayRow]:
    """The rows of a dataset as they come; they are asked for in a thread, which may wait for ever.

    Raises:
        ClusterError: nothing came for `seconds`.
    """
    import ray

    ray.data.DataContext.get_current().enable_progress_bars = False
    results: queue.Queue[RayRow | BaseException | None] = queue.Queue()

    def ask() -> None:
        try:
            for item in data.iter_rows():
                results.put(item)
            results.put(None)
        except BaseException as error:
            results.put(error)

    threading.Thread(target=ask, name="ray", daemon=True).start()
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
