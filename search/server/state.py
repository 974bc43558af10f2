"""What the routes of one server share: the engine once it is loaded, and the work queues."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

from fastapi import Depends, Request

from place_search.photos import Decoder
from place_search.search.errors import NotReadyError
from place_search.search.server.content.reports import Reports
from place_search.search.server.metrics import Metrics
from place_search.search.server.options import ServerOptions
from place_search.search.server.work import WorkQueue
from place_search.search.stages import Stages

if TYPE_CHECKING:
    from place_search.search.engine import Engine
    from place_search.search.server.writer import Writer

T = TypeVar("T")

EngineLoader: TypeAlias = "Callable[[], Engine]"
"""Opens an engine; what it raises ends the server."""

CHANGE_SECONDS = 300.0
IMAGES_WAITING = 64
"""A page asks for many pictures at once, each of them quick."""


class ServerState:
    """An engine in the making or ready, and the queues that bound the work on it."""

    def __init__(
        self,
        engine: "Engine | EngineLoader",
        options: ServerOptions,
        *,
        decoder: Decoder | None = None,
    ) -> None:
        self.searches = WorkQueue(
            "search",
            workers=options.workers,
            waiting=options.queue,
            seconds=options.search_seconds,
        )
        self.images = WorkQueue(
            "image",
            workers=options.workers,
            waiting=max(IMAGES_WAITING, 8 * options.queue),
            seconds=options.search_seconds,
        )
        # One at a time: each makes a new version of the index.
        self.changes = WorkQueue("change", workers=1, waiting=options.queue, seconds=CHANGE_SECONDS)
        self.writer: Writer | None = None
        """What changes the index, where the server may."""
        self.reports = Reports(options.reports)
        self.decoder = decoder
        self.failure: Exception | None = None
        self.refused: str | None = None
        """Why the version of the index that is on disk is not the one that is served."""
        self.on_loaded: Callable[[], None] = lambda: None
        self._loader = engine if callable(engine) else None
        self._engine = None if callable(engine) else engine
        self.metrics = Metrics(self)

    async def load(self) -> None:
        """Load the engine in a thread; what went wrong is left in `failure`."""
        if self._loader is not None:
            try:
                self._engine = await asyncio.to_thread(self._loader)
            except Exception as error:
                self.failure = error
        self.on_loaded()

    @property
    def engine(self) -> "Engine":
        """The engine. A request asks once, so that all of its answer is of one index.

        Raises:
            NotReadyError: it is not loaded yet, or could not be.
        """
        if self._engine is None:
            raise NotReadyError("The server is still loading its index and model; try again soon.")
        return self._engine

    @property
    def loaded(self) -> "Engine | None":
        """The engine, or None where it is not loaded."""
        return self._engine

    async def run_search(self, request: Request, job: Callable[[Stages], T]) -> T:
        """Run a job in the queue of searches; its stages are counted, logged and traced.

        Raises:
            BusyError: too many jobs are waiting, or this one waited too long.
            TimedOutError: the job began, but takes too long.
        """
        return await self._run(self.searches, request, job)

    async def run_change(self, request: Request, job: Callable[[Stages], T]) -> T:
        """Run a job in the queue of changes, otherwise as `run_search` does."""
        return await self._run(self.changes, request, job)

    async def _run(self, queue: WorkQueue, request: Request, job: Callable[[Stages], T]) -> T:
        stages = Stages()

        def work() -> T:
            stages.begin()
            return job(stages)

        try:
            reply, _ = await queue.run(work)
        finally:
            request.scope["stages"] = stages
            self.metrics.worked(stages)
        return reply

    def replace(self, engine: "Engine") -> None:
        """Answer from another engine from now on; what runs ends with its own."""
        self._engine = engine
        self.refused = None

    def close(self) -> None:
        """Refuse further work."""
        self.searches.close()
        self.images.close()
        self.changes.close()
        if self.decoder is not None:
            self.decoder.close()


async def _state_of(request: Request) -> ServerState:
    service = request.app.state.service
    assert isinstance(service, ServerState)  # noqa: S101 - create_app put it there
    return service


CurrentState = Annotated[ServerState, Depends(_state_of)]
