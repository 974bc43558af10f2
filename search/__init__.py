"""Query photo → places: the engine, verification, comparison, replies and the HTTP server."""

from importlib import import_module
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
from search.schemas import CompareReply, IndexReply, PlaceReply, SearchReply
from search.server import open_engine, serve

if TYPE_CHECKING:
    from search.app import create_app
    from search.compare import compare_photos, evidence
    from search.engine import Engine
    from search.verification import CANDIDATES, Query, Verification, rank_by_geometry, verify

__all__ = [
    "CANDIDATES",
    "BusyError",
    "CompareReply",
    "Engine",
    "IndexReply",
    "NotReadyError",
    "ParameterError",
    "PhotoGoneError",
    "PlaceReply",
    "Query",
    "SearchReply",
    "ServerError",
    "ServerOptions",
    "Verification",
    "compare_photos",
    "create_app",
    "default_workers",
    "evidence",
    "new_key",
    "open_engine",
    "parse_keys",
    "parse_position",
    "rank_by_geometry",
    "serve",
    "verify",
]

# Imported when first asked for: each costs a server's start.
_LATER = {
    "create_app": "search.app",
    "compare_photos": "search.compare",
    "evidence": "search.compare",
    "Engine": "search.engine",
    "CANDIDATES": "search.verification",
    "Query": "search.verification",
    "Verification": "search.verification",
    "rank_by_geometry": "search.verification",
    "verify": "search.verification",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'search' has no attribute '{name}'")
    return getattr(import_module(_LATER[name]), name)
