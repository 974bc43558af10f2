"""`place-search serve`: the page and the HTTP API."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli.console import print_line
from place_search.cli.settings_options import takes_settings
from place_search.search.server.settings import ServerSettings

if TYPE_CHECKING:
    from place_search.search.engine import Engine


@takes_settings
def command(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="Folder of an index.")],
    settings: ServerSettings,
) -> None:
    """Serve an index: the search page and the HTTP API."""
    from place_search.search.server.server import serve

    serve(index, settings, on_ready=announce)


def announce(address: str, engine: "Engine") -> None:
    """Say where the server answers."""
    places = engine.index.count
    print_line(f"{places} {'place' if places == 1 else 'places'}, ready at {address}")
    print_line(f"Model: {engine.model.card.id} in {engine.model.in_short}")
    print_line(f"API: {address}docs   Stop: Ctrl-C")
