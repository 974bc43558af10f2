"""Query photo → places: the engine, its replies and the HTTP server."""

from typing import TYPE_CHECKING, Any

from search.errors import (
    BusyError,
    NotReadyError,
    ParameterError,
    PhotoGoneError,
    ServerError,
)
from search.keys import new_key, parse_keys
from search.options import ServerOptions, default_workers
from search.positions import parse_position
from search.schemas import IndexReply, PlaceReply, SearchReply
from search.server import open_engine, serve

if TYPE_CHECKING:
    from search.app import create_app
    from search.engine import Engine

__all__ = [
    "BusyError",
    "Engine",
    "IndexReply",
    "NotReadyError",
    "ParameterError",
    "PhotoGoneError",
    "PlaceReply",
    "SearchReply",
    "ServerError",
    "ServerOptions",
    "create_app",
    "default_workers",
    "new_key",
    "open_engine",
    "parse_keys",
    "parse_position",
    "serve",
]


def __getattr__(name: str) -> Any:
    """Import the engine and the application when first asked for: each costs a server's start."""
    if name == "Engine":
        from search.engine import Engine

        return Engine
    if name == "create_app":
        from search.app import create_app

        return create_app
    raise AttributeError(f"module 'search' has no attribute '{name}'")
