"""`place-search places`: the places of an index as a file for maps and tables."""

from pathlib import Path
from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.console import print_line, print_message
from place_search.cli.terminal import progress
from place_search.core.text import counted


def command(
    index: options.IndexFolder,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="File to write: .geojson, .csv, .jsonl or .parquet."
        ),
    ],
) -> None:
    """Write the places of an index, with their positions, for maps and tables."""
    from place_search.core.row_files import empty_map_note, require_row_file, write_rows
    from place_search.indexer import open_index
    from place_search.indexer.place_rows import columns_of, place_rows

    opened = open_index(index)
    columns = columns_of(opened)
    require_row_file(out, columns, index)
    with progress("places") as advance:
        write_rows(out, columns, place_rows(opened, progress=advance))
    if note := empty_map_note(out, placed=opened.has_positions):
        print_message(f"Note: {note}")
    print_line(f"{counted(len(opened), 'place')} in {out}")
