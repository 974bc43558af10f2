"""`place-search edit`: the name, note, tags, own fields and position of a place."""

from typing import Annotated, Any

import typer

from place_search.cli import options
from place_search.cli.changing import by_name
from place_search.cli.console import print_json, print_line, print_message

PlaceId = Annotated[int, typer.Argument(metavar="ID", help="Id of a place.")]


def command(
    index: options.IndexFolder,
    place: PlaceId,
    name: Annotated[
        str | None, typer.Option(help="What the place is called; '' for the name of its photo.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="A text about it; '' for none.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag to add; repeatable.")] = None,
    untag: Annotated[list[str] | None, typer.Option(help="A tag to remove; repeatable.")] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An own field; no value removes it; repeatable."),
    ] = None,
    position: Annotated[
        str | None,
        typer.Option(metavar="LAT,LON", help="Where it is; '' for the position of its photo."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Name a place, note something, tag it, set its own fields, or correct its position."""
    from place_search.core.text import composed
    from place_search.indexer import edit_place, open_index
    from place_search.indexer.storage.edits import parse_field_value
    from place_search.search.positions import parse_position

    opened = open_index(index)
    current = opened.place(place)
    patch: dict[str, Any] = {}
    if name is not None:
        patch["name"] = name
    if note is not None:
        patch["note"] = note
    if tag or untag:
        removed_tags = {composed(text.strip()) for text in untag or ()}
        if twice := removed_tags & {composed(text.strip()) for text in tag or ()}:
            raise typer.BadParameter(f"--tag and --untag both name '{min(twice)}'; ask for one.")
        for absent in sorted(removed_tags - set(map(composed, current.tags))):
            print_message(f"Place {place} has no tag '{absent}' to remove.")
        remaining = [
            tag_name for tag_name in current.tags if composed(tag_name) not in removed_tags
        ]
        patch["tags"] = [*remaining, *(tag or ())]
    if field:
        patch["fields"] = {
            key: parse_field_value(key, value, opened.edits.fields) if value else None
            for key, value in by_name(map(_assigned, field)).items()
        }
    if position is not None:
        patch["position"] = parse_position(position)._asdict() if position else None
    if not patch:
        raise typer.BadParameter("Say what to edit: --name, --note, --tag, --field or --position.")
    edit_place(index, place, patch, version=current.version)
    from place_search.search.results import place_dict

    edited = place_dict(open_index(index).place(place), opened.index_id)
    if as_json:
        print_json(edited)
        return
    print_line(f"edited: {edited['name']} (place {place} in {index})")


def _assigned(pair: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not equals:
        raise typer.BadParameter(f"--field is written NAME=VALUE, not '{pair}'.")
    return key, value
