"""The options that leave only some places of an index, which `search` and `similar` take."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from place_search.core.geodesy import Position

NearOption: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="LAT,LON", help="Only places near this point; needs --radius-m."),
]
RadiusOption: TypeAlias = Annotated[
    float | None, typer.Option("--radius-m", help="Metres around --near.")
]
FolderOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Only places with photos in this folder of the indexed one.")
]
TakenFromOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="DATE", help="Only photos taken on this day or later.")
]
TakenToOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="DATE", help="Only photos taken on this day or earlier.")
]
TagOption: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="Only places with this tag; repeatable.")
]
FieldOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME:OP:VALUE",
        help="Only places with such an own field; eq, lt, le, gt or ge; repeatable.",
    ),
]


def point_of(near: str | None, radius_m: float | None) -> "Position | None":
    """The point that --near names. Raises BadParameter where one of the two is missing."""
    from place_search.search.positions import parse_position

    if (near is None) != (radius_m is None):
        raise typer.BadParameter("--near and --radius-m only work together.")
    return None if near is None else parse_position(near)
