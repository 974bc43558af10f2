"""The state that the routes of one server share: the engine once it is loaded, and the queues."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from fastapi import Request

from place_search.photos import Decoder
from place_search.photos.sandbox.deadline import decoding_until
from place_search.search.errors import NotReadyError
from place_search.search.server.clients import client_of
from place_search.search.server.content.reports import Reports
from place_search.search.server.metrics import Metrics
from place_search.search.server.settings import ServerSettings
from place_search.search.server.work import WorkQueue
from place_search.search.stages import Stages
from place_search.search.tracks.open_tracks import OpenTracks

if TYPE_CHECKING:
    from place_search.search.engine import Engine

log = logging.getLogger("place_search.index")

T = TypeVar("T")

EngineLoader: TypeAlias = "Callable[..., Engine]"
"""Opens an engine, given the engine that it replaces if any; its exceptions end the server."""

CHANGE_SECONDS = 300.0
LEAST_SECONDS = 1.0
"""The least time for decoding a photo, in seconds, however long its request has waited."""
IMAGES_WAITING = 64
"""The least number of pictures that may wait: a page requests many at once, each of them quick."""


class Shared:
    """The state that all indexes of one server share: the work queues, and the counters."""

    def __init__(self, options: ServerSettings) -> None:
        self.searches = WorkQueue(
            "search",
            workers=options.workers,
            waiting=options.queue,
            spare=1,
            seconds=options.search_seconds,
            patience=options.queue_seconds,
        )
        self.images = WorkQueue(
            "image",
            workers=options.workers,
            waiting=max(IMAGES_WAITING, 8 * options.queue),
            spare=1,
            seconds=options.search_seconds,
            patience=options.queue_seconds,
        )
        # One at a time, as each change makes a new version of the index.
        self.changes = WorkQueue(
            "change",
            workers=1,
            waiting=options.queue,
            seconds=CHANGE_SECONDS,
            patience=CHANGE_SECONDS,
        )
        self.metrics = Metrics()


class ServerState:
    """The engine of an index, loading or ready, and the queues that bound the work on it."""

    def __init__(
        self,
        engine: "Engine | EngineLoader",
        options: ServerSettings,
        shared: Shared,
        *,
        decoder: Decoder | None = None,
        reports: Path | None = None,
    ) -> None:
        """`reports` is a folder of reports. Raises `ServerError` where there is no such folder."""
        self.searches = shared.searches
        self.images = shared.images
        self.changes = shared.changes
        self.metrics = shared.metrics
        self.max_body_bytes = options.max_body_bytes
        self.decode_seconds = options.decode.seconds
        self.reports = Reports(reports)
        self.tracks = OpenTracks()
        self.decoder = decoder
        self.failure: Exception | None = None
        self.refused: str | None = None
        """The reason why the index version on disk is not served; None where it is served."""
        self.opening = threading.Lock()
        """Held while a new version is opened, so that no other thread opens it too."""
        self.damage: set[str] = set()
        """A sentence on each damaged file of the served version."""
        self._loader = engine if callable(engine) else None
        self._engine = None if callable(engine) else engine

    async def load(self) -> None:
        """Load the engine in a thread; an exception is stored in `failure`."""
        if self._loader is not None:
            try:
                self._engine = await asyncio.to_thread(self._loader)
            except Exception as error:
                self.failure = error

    @property
    def engine(self) -> "Engine":
        """The engine. A request reads it once, so that its whole answer is of one index.

        Raises:
            NotReadyError: the engine is not loaded yet, or loading has failed.
        """
        if self._engine is None:
            raise NotReadyError("The server is still loading its index and model; try again soon.")
        return self._engine

    @property
    def loaded(self) -> "Engine | None":
        """The engine, or None until it is loaded."""
        return self._engine

    async def run_search(
        self, request: Request, job: Callable[..., T], *arguments: Any, **options: Any
    ) -> T:
        """Run a job in the queue of searches; its stages are counted, logged and traced.

        The job is called with these arguments, and with `stages`, which time its work. A job that
        changes something calls `stages.commit` before.

        Raises:
            BusyError: too many jobs are waiting, or this job waited too long.
            TimedOutError: the job began, but takes too long.
        """
        return await self._run(self.searches, request, partial(job, *arguments, **options))

    async def run_change(
        self, request: Request, job: Callable[..., T], *arguments: Any, **options: Any
    ) -> T:
        """Run a job in the queue of changes, otherwise as `run_search` does."""
        return await self._run(self.changes, request, partial(job, *arguments, **options))

    async def run_small(self, request: Request, job: Callable[..., T], *arguments: Any) -> T:
        """Run a job in the queue of images and of lists, without stages."""
        work = partial(_in_time, partial(job, *arguments), self._decoded_by())
        reply, _ = await self.images.run(work, client=client_of(request.scope))
        return reply

    async def _run(self, queue: WorkQueue, request: Request, job: Callable[..., T]) -> T:
        stages = Stages()
        try:
            reply, _ = await queue.run(
                partial(_begin, job, stages, self._decoded_by()),
                client=client_of(request.scope),
                give_up=stages.give_up,
            )
        finally:
            request.scope["stages"] = stages
            self.metrics.worked(stages)
        return reply

    def _decoded_by(self) -> float:
        """The deadline, by `time.monotonic`, to decode the photos of a request that arrives now."""
        return time.monotonic() + self.decode_seconds

    def replace(self, engine: "Engine") -> None:
        """Answer from another engine from now on; running requests keep the engine they have."""
        self._engine = engine
        self.refused = None
        self.damage.clear()
        self.metrics.reloaded("served")

    def note_damage(self, error: Exception) -> None:
        """Note that a file of the index is damaged; each error is logged once."""
        if str(error) not in self.damage:
            self.damage.add(str(error))
            log.error("%s", error)

    def close(self) -> None:
        """Refuse further work."""
        self.searches.close()
        self.images.close()
        self.changes.close()
        if self.decoder is not None:
            self.decoder.close()


def _begin(job: Callable[..., T], stages: Stages, decoded_by: float) -> T:
    """Begin a job that has waited until now."""
    stages.begin()
    return _in_time(partial(job, stages=stages), decoded_by)


def _in_time(job: Callable[[], T], decoded_by: float) -> T:
    """Do a job with a deadline for decoding its photos, at least `LEAST_SECONDS` from now."""
    with decoding_until(max(decoded_by, time.monotonic() + LEAST_SECONDS)):
        return job()
