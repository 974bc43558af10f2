"""`place-search fields`: which own fields the places of an index may have."""

from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.changing import by_name
from place_search.cli.console import print_json, print_line


def command(
    index: options.IndexFolder,
    action: Annotated[str, typer.Argument(metavar="list|set|drop", help="What to do.")] = "list",
    items: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME:TYPE", help="Fields to set (text, number, boolean, date) or to drop."
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """List, declare or drop the own fields that places of an index may have."""
    from place_search.indexer import declare_fields, read_manifest
    from place_search.indexer.storage.edits import read_edits

    if action not in ("list", "set", "drop") or bool(items) != (action != "list"):
        raise typer.BadParameter(
            "Write `fields INDEX`, `fields INDEX set NAME:TYPE…` or `fields INDEX drop NAME…`."
        )
    if action == "set":
        pairs = [item.rpartition(":") for item in items or ()]
        fields = declare_fields(index, by_name((name, kind) for name, _, kind in pairs))
    elif action == "drop":
        fields = declare_fields(index, {}, drop=tuple(items or ()))
    else:
        fields = dict(read_edits(index, read_manifest(index).files).fields)
    if as_json:
        print_json(fields)
        return
    for name, kind in fields.items():
        print_line(f"{name}: {kind}")
    if not fields:
        print_line(f"{index} has no own fields")
