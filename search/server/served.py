"""The indexes of one server, by name: addresses without a name lead to the first."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Depends, Request

from place_search.search.errors import UnknownIndexError
from place_search.search.server.reload import Reloader
from place_search.search.server.state import EngineLoader, ServerState
from place_search.search.server.writer import Writer

if TYPE_CHECKING:
    from place_search.search.engine import Engine


@dataclass(frozen=True, slots=True)
class ServedIndex:
    """One index of a server, with its state, its reloader and its writer."""

    name: str
    folder: Path | None
    service: ServerState
    reloader: Reloader | None = None
    writer: Writer | None = None

    @property
    def status(self) -> Literal["loading", "ready", "removed", "outdated"]:
        """`loading`, `ready`, `removed` without a folder, or `outdated` for a refused version.

        An index whose folder was removed answers from its open files while the server runs.
        """
        if self.service.loaded is None:
            return "loading"
        if self.folder is not None and not self.folder.is_dir():
            return "removed"
        return "ready" if self.service.refused is None else "outdated"


@dataclass(frozen=True, slots=True)
class SharedModelLoader:
    """Opens a further index of a server, with the model of another index where it is the same."""

    folder: Path
    load: EngineLoader
    others: Mapping[str, ServedIndex]

    def __call__(self, served: "Engine | None" = None) -> "Engine":
        """The engine; `served` is the engine that it replaces."""
        from place_search.indexer import read_manifest

        if served is None:
            fingerprint = read_manifest(self.folder).model["fingerprint"]
            engines = [other.service.loaded for other in self.others.values()]
            served = next((e for e in engines if e and e.index.fingerprint == fingerprint), None)
        return self.load(served)


def served_of(request: Request) -> ServedIndex:
    """The index that a request is for. Raises `UnknownIndexError`."""
    served = request.scope["served"]
    if served is None:
        raise UnknownIndexError(
            f"The server has no index '{request.scope['index_name'][:64]}'; GET /v1/indexes "
            "lists those that it has."
        )
    assert isinstance(served, ServedIndex)  # noqa: S101 - the middleware `Indexes` put it there
    return served


async def _state_of(request: Request) -> ServerState:
    return served_of(request).service


CurrentState = Annotated[ServerState, Depends(_state_of)]
