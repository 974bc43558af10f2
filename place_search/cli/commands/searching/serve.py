"""`place-search serve`: the page and the HTTP API."""

import io
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli.console import print_line
from place_search.cli.reading import only_work
from place_search.cli.settings_options import takes_settings
from place_search.core.text import counted
from place_search.search.server.settings import INDEX_NAME, ServerSettings

if TYPE_CHECKING:
    from place_search.search.engine import Engine


@takes_settings
def command(
    context: typer.Context,
    index: Annotated[
        list[str],
        typer.Argument(metavar="[NAME=]INDEX", help="Folder of an index; several have names."),
    ],
    settings: ServerSettings,
) -> None:
    """Serve indexes: the search page and the HTTP API."""
    from place_search.search.server.server import serve

    if not settings.log:
        only_work(context, "with --log", "log_addresses")
    folders = named_indexes(index)
    (name, first), *_ = folders.items()
    others = {other: folder for other, folder in folders.items() if other != name}
    ready = partial(announce, settings.host)
    serve(first, settings, name=name, others=others, on_ready=ready)


def named_indexes(arguments: list[str]) -> dict[str, Path]:
    """Folders by the names that they are served under, in their order.

    Raises:
        BadParameter: several folders without names, an invalid name, or a repeated one.
    """
    folders: dict[str, Path] = {}
    for argument in arguments:
        name, equals, folder = argument.partition("=")
        if not equals or Path(argument).exists():
            if len(arguments) > 1:
                raise typer.BadParameter(
                    f"Several indexes have names: write NAME={argument} for each of them."
                )
            own = Path(argument).resolve().name
            return {own if INDEX_NAME.fullmatch(own) else "index": Path(argument)}
        if not INDEX_NAME.fullmatch(name) or not folder or name in folders:
            raise typer.BadParameter(
                f"'{argument}' is no new NAME=INDEX; a name has letters, digits, ., _ and -, and "
                "comes once."
            )
        folders[name] = Path(folder)
    return folders


def announce(host: str, address: str, engine: "Engine") -> None:
    """Print the addresses of a server that listens on `host`."""
    from place_search.search.server.network import network_url

    print_line(f"{counted(engine.index.count, 'place')}, ready at {address}")
    print_line(f"Model: {engine.model.named}")
    print_line(f"API: {address}docs   Stop: Ctrl-C")
    if url := network_url(host, address):
        print_line(f"On other devices of this network: {url}")
        if sys.stdout.isatty() and sys.stdout.encoding.lower() == "utf-8":
            typer.echo(qr_code(url))


def qr_code(url: str) -> str:
    """A code that a phone's camera opens, for a terminal."""
    import segno

    text = io.StringIO()
    segno.make(url, error="l", micro=False).terminal(text, border=2, compact=True)
    # White on black, whatever the terminal's own colours are.
    return "\n".join(f"\x1b[97;40m{line}\x1b[0m" for line in text.getvalue().splitlines())
