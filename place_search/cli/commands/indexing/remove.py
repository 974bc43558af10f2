"""`place-search remove`: places out of an index."""

from pathlib import Path
from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.changing import print_change, running
from place_search.cli.indexes import require_order
from place_search.cli.reading import name_or_id


def command(
    index: options.IndexFolder,
    places: Annotated[list[str], typer.Argument(metavar="NAME|ID", help="Names or ids of places.")],
    as_json: options.AsJson = False,
) -> None:
    """Remove places from an index, by name or by id; a number is an id. Photos are left alone."""
    from place_search.indexer import remove_places

    require_order(index, Path(places[-1]), "remove {index} {other}")
    with running(index) as advance:
        report = remove_places(index, list(map(name_or_id, places)), progress=advance)
    print_change(report, index, as_json)
