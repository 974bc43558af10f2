"""`place-search serve`: the page and the HTTP API."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli.precision import PrecisionOption
from place_search.settings import (
    ALLOWED_HOSTS,
    CANDIDATES,
    CONNECTIONS,
    CORS,
    DECODE_MB,
    DECODE_SECONDS,
    HOST,
    KEYS,
    LOG,
    LOG_ADDRESSES,
    MAX_BODY_MB,
    MAX_MEGAPIXELS,
    MODEL,
    PORT,
    PRECISION,
    PUBLIC,
    QUEUE,
    RATE,
    READ_SECONDS,
    REPORTS,
    SEARCH_SECONDS,
    THREADS,
    TILES_FILE,
    TILES_URL,
    TRACE,
    WORKERS,
    WRITABLE,
)

if TYPE_CHECKING:
    from place_search.search.engine import Engine


def command(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="Folder of an index.")],
    host: Annotated[str, HOST.option()] = HOST.default,
    port: Annotated[int, PORT.option(min=0, max=65535)] = PORT.default,
    model: Annotated[
        str | None, MODEL.option(help="Model folder or id (default: the index's own).")
    ] = None,
    threads: Annotated[int | None, THREADS.option(min=1)] = THREADS.default,
    precision: PrecisionOption = PRECISION.default,
    candidates: Annotated[int, CANDIDATES.option(min=1, max=1000)] = CANDIDATES.default,
    workers: Annotated[int | None, WORKERS.option(min=1, max=64)] = WORKERS.default,
    queue: Annotated[int, QUEUE.option(min=0)] = QUEUE.default,
    connections: Annotated[int, CONNECTIONS.option(min=1)] = CONNECTIONS.default,
    max_body_mb: Annotated[int, MAX_BODY_MB.option(min=1)] = MAX_BODY_MB.default,
    max_megapixels: Annotated[int, MAX_MEGAPIXELS.option(min=1)] = MAX_MEGAPIXELS.default,
    decode_seconds: Annotated[float, DECODE_SECONDS.option(min=0.1)] = DECODE_SECONDS.default,
    decode_mb: Annotated[int, DECODE_MB.option(min=64)] = DECODE_MB.default,
    read_seconds: Annotated[float, READ_SECONDS.option(min=0.1)] = READ_SECONDS.default,
    search_seconds: Annotated[float, SEARCH_SECONDS.option(min=0.1)] = SEARCH_SECONDS.default,
    keys: Annotated[Path | None, KEYS.option(metavar="FILE")] = KEYS.default,
    public: Annotated[bool, PUBLIC.option()] = PUBLIC.default,
    writable: Annotated[bool, WRITABLE.option()] = WRITABLE.default,
    rate: Annotated[int, RATE.option(min=0)] = RATE.default,
    cors: Annotated[str, CORS.option(metavar="ORIGINS")] = CORS.default,
    allowed_hosts: Annotated[str, ALLOWED_HOSTS.option(metavar="NAMES")] = ALLOWED_HOSTS.default,
    log: Annotated[bool, LOG.option()] = LOG.default,
    log_addresses: Annotated[bool, LOG_ADDRESSES.option()] = LOG_ADDRESSES.default,
    trace: Annotated[bool, TRACE.option()] = TRACE.default,
    tiles_url: Annotated[str | None, TILES_URL.option()] = TILES_URL.default,
    tiles_file: Annotated[Path | None, TILES_FILE.option(metavar="FILE")] = TILES_FILE.default,
    reports: Annotated[Path | None, REPORTS.option(metavar="DIR")] = REPORTS.default,
) -> None:
    """Serve an index: the search page and the HTTP API."""
    from place_search.photos import DecodeLimits
    from place_search.search.server.options import ServerOptions, default_workers
    from place_search.search.server.server import serve as serve_index

    options = ServerOptions(
        host=host,
        port=port,
        model=model,
        threads=threads,
        precision=precision,
        candidates=candidates,
        workers=workers or default_workers(),
        queue=queue,
        connections=connections,
        max_body_bytes=max_body_mb * 2**20,
        decode=DecodeLimits(decode_seconds, decode_mb * 2**20, max_megapixels * 10**6),
        read_seconds=read_seconds,
        search_seconds=search_seconds,
        keys_file=keys,
        public=public,
        writable=writable,
        rate=rate,
        cors_origins=_listed(cors),
        allowed_hosts=_listed(allowed_hosts) or None,
        log_requests=log,
        log_addresses=log_addresses,
        trace=trace,
        tiles_url=tiles_url,
        tiles_file=tiles_file,
        reports=reports,
    )
    serve_index(index, options, on_ready=announce)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def announce(address: str, engine: "Engine") -> None:
    """Say where the server answers."""
    places = engine.index.count
    typer.echo(f"{places} {'place' if places == 1 else 'places'}, ready at {address}")
    typer.echo(f"Model: {engine.model.card.id} in {engine.model.in_words}")
    typer.echo(f"API: {address}docs   Stop: Ctrl-C")
