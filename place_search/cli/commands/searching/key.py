"""`place-search key`: an API key for `serve --keys FILE`."""

import re
from typing import Annotated

import typer

from place_search.cli.console import print_line


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")],
    role: Annotated[
        str, typer.Option("--role", help="read: search; write: change the index too.")
    ] = "read",
    index: Annotated[
        str, typer.Option("--index", help="Name of the one index that it may see (default: all).")
    ] = "",
) -> None:
    """Make an API key for `serve --keys FILE`."""
    from place_search.search.server.keys import KEY_NAME, new_key

    if role not in ("read", "write"):
        raise typer.BadParameter(f"'{role}' is no role; use read or write.")
    for text in (name, index) if index else (name,):
        if not re.fullmatch(KEY_NAME, text):
            raise typer.BadParameter(
                f"'{text}' is no name; use up to 64 letters, digits, dots, dashes and underscores."
            )
    secret, key = new_key(name, "write" if role == "write" else "read", index)
    print_line(f"The key, shown only now:      {secret}")
    print_line(f"The line for the keys file:   {key.line}")
