"""What the routes of one server share: the engine once it is loaded, and the work queues."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias

from fastapi import Depends, Request

from search.errors import NotReadyError
from search.options import ServerOptions
from search.work import WorkQueue

if TYPE_CHECKING:
    from search.engine import Engine

EngineLoader: TypeAlias = "Callable[[], Engine]"
"""Opens an engine; what it raises ends the server."""


class Service:
    """An engine in the making or ready, and the queues that bound the work on it."""

    def __init__(self, engine: "Engine | EngineLoader", options: ServerOptions) -> None:
        self.searches = WorkQueue("search", workers=options.workers, waiting=options.queue)
        self.images = WorkQueue("image", workers=options.workers, waiting=8 * options.queue)
        self.failure: Exception | None = None
        self.on_loaded: Callable[[], None] = lambda: None
        self._loader = engine if callable(engine) else None
        self._engine = None if callable(engine) else engine

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
        """The engine.

        Raises:
            NotReadyError: it is not loaded yet, or could not be.
        """
        if self._engine is None:
            raise NotReadyError("The server is still loading its index and model; try again soon.")
        return self._engine

    def close(self) -> None:
        """Refuse further work."""
        self.searches.close()
        self.images.close()


async def _service_of(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101 - create_app put it there
    return service


CurrentService = Annotated[Service, Depends(_service_of)]
