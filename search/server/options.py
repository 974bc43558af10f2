"""What a server can be told."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from place_search.models import AskedPrecision
from place_search.photos import DecodeLimits
from place_search.search.errors import ServerError

MAX_DEFAULT_WORKERS = 10

_NAME = re.compile(r"[^\s/@,]+")
_ORIGIN = re.compile(r"\*|https?://[^\s/?#@]+")


def default_workers() -> int:
    """One search a core, and two whose photos are decoded meanwhile."""
    return min(len(os.sched_getaffinity(0)) + 2, MAX_DEFAULT_WORKERS)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the server listens and how much it takes on.

    `workers` searches run at once and at most `queue` more wait; a request beyond that is refused
    with 429. A verified search compares `candidates` places. `model` stands in for the index's own
    model id, `threads` bounds the model's CPU threads (None: all of them), and `precision` "auto"
    is that of the index. A request must arrive within `read_seconds` and be answered within
    `search_seconds` after that. `keys_file` names who may ask, `public` lets anybody read
    nevertheless, `writable` lets keys of the role write change the index; `rate` bounds the
    searches of one key or address a minute (0: no bound). `cors_origins` are the pages of other
    sites that may ask. `allowed_hosts` are the names that the server goes by (None: any, but only
    its own on a loopback address). `trace` sends OpenTelemetry spans to a collector. `tiles_url` is
    where the map's tiles come from, with {x}, {y} and {z} in it, and `tiles_file` a PMTiles file of
    them (None: the map has none). `reports` is a folder of evaluation reports.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str | Path | None = None
    candidates: int = 100
    workers: int = field(default_factory=default_workers)
    queue: int = 16
    max_body_bytes: int = 32 * 1024 * 1024
    threads: int | None = None
    precision: AskedPrecision = "auto"
    read_seconds: float = 30.0
    search_seconds: float = 30.0
    decode: DecodeLimits = field(default_factory=DecodeLimits)
    connections: int = 1000
    keys_file: Path | None = None
    public: bool = False
    writable: bool = False
    rate: int = 0
    cors_origins: Sequence[str] = ()
    allowed_hosts: Sequence[str] | None = None
    log_requests: bool = False
    log_addresses: bool = False
    tiles_url: str | None = None
    tiles_file: Path | None = None
    trace: bool = False
    reports: Path | None = None

    @property
    def decoders(self) -> int:
        """Processes that decode photos: at most half of the work on one is decoding."""
        return max(2, self.workers // 2)

    def __post_init__(self) -> None:
        """Raises `ServerError` for names that could never be asked by."""
        for origin in self.cors_origins:
            if not _ORIGIN.fullmatch(origin):
                raise ServerError(
                    f"'{origin}' is no site; give --cors the likes of https://a.example."
                )
        for name in self.allowed_hosts or ():
            if not _NAME.fullmatch(name):
                raise ServerError(
                    f"'{name}' is no server's name; give --allowed-hosts the likes of a.example."
                )
