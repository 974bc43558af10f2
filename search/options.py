"""What a server can be told."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the server listens and how much it takes on.

    `workers` searches run at once and at most `queue` more wait; a request beyond that is refused
    with 429. `model` stands in for the index's own model id, `threads` bounds the model's CPU
    threads (None: all of them). `tiles_url` is where the map's tiles come from, with {x}, {y} and
    {z} in it (None: the map has none).
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str | Path | None = None
    workers: int = 2
    queue: int = 16
    max_body_bytes: int = 32 * 1024 * 1024
    threads: int | None = None
    tiles_url: str | None = None
