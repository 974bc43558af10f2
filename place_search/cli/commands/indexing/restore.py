"""`place-search restore`: removed places back into an index."""

from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.changing import print_change, running


def command(
    index: options.IndexFolder,
    places: Annotated[list[int], typer.Argument(metavar="ID", help="Ids of removed places.")],
    as_json: options.AsJson = False,
) -> None:
    """Bring back removed places, as long as the index has not been compacted since."""
    from place_search.indexer import restore_places

    with running(index) as advance:
        report = restore_places(index, places, progress=advance)
    print_change(report, index, as_json, added="restored")
