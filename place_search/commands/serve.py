"""`place-search serve`: the page and the HTTP API."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.settings import (
    HOST,
    MAX_BODY_MB,
    MODEL,
    PORT,
    QUEUE,
    THREADS,
    TILES_URL,
    WORKERS,
)

if TYPE_CHECKING:
    from search import Engine


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("serve")(serve)


def serve(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="Folder of an index.")],
    host: Annotated[str, HOST.option()] = HOST.default,
    port: Annotated[int, PORT.option(min=0, max=65535)] = PORT.default,
    model: Annotated[
        str | None, MODEL.option(help="Model folder or id (default: the index's own).")
    ] = None,
    threads: Annotated[int | None, THREADS.option(min=1)] = THREADS.default,
    workers: Annotated[int, WORKERS.option(min=1)] = WORKERS.default,
    queue: Annotated[int, QUEUE.option(min=0)] = QUEUE.default,
    max_body_mb: Annotated[int, MAX_BODY_MB.option(min=1)] = MAX_BODY_MB.default,
    tiles_url: Annotated[str | None, TILES_URL.option()] = TILES_URL.default,
) -> None:
    """Serve an index: the search page and the HTTP API."""
    from search import ServerOptions
    from search import serve as serve_index

    options = ServerOptions(
        host=host,
        port=port,
        model=model,
        threads=threads,
        workers=workers,
        queue=queue,
        max_body_bytes=max_body_mb * 2**20,
        tiles_url=tiles_url,
    )
    serve_index(index, options, on_ready=announce)


def announce(address: str, engine: "Engine") -> None:
    """Say where the server answers."""
    places = engine.index.count
    typer.echo(f"{places} {'place' if places == 1 else 'places'}, ready at {address}")
    typer.echo(f"API: {address}docs   Stop: Ctrl-C")
