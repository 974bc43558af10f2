"""The places of an index as rows, for files that other programs read."""

from collections.abc import Iterator, Mapping
from typing import Any

from place_search.core.progress import Progress, silent
from place_search.core.tables import ALIASES
from place_search.core.text import iso_time
from place_search.indexer.index import Index
from place_search.indexer.pipeline import skipped_name
from place_search.indexer.storage.edits import FieldType

COLUMNS: Mapping[str, type] = {
    "place_id": int,
    "name": str,
    "path": str,
    "latitude": float,
    "longitude": float,
    "easting": float,
    "northing": float,
    "zone": str,
    "sequence": str,
    "heading": float,
    "time": str,
}
"""The columns of a place and their types. `index` reads a CSV file with them as a photo list."""
_PROGRESS_ROWS = 1000
_TYPES: Mapping[FieldType, type] = {"text": str, "date": str, "number": float, "boolean": bool}


def columns_of(index: Index) -> dict[str, type]:
    """The columns of an index's places: `COLUMNS`, and its own fields."""
    own = {_own_column(name): _TYPES[kind] for name, kind in index.edits.fields.items()}
    return {**COLUMNS, **own}


def _own_column(field: str) -> str:
    """The column of an own field: its name, unless a photo list gives that name another meaning."""
    read_as = field.lower()
    return f"field_{field}" if ALIASES.get(read_as, read_as) in COLUMNS else field


def place_rows(index: Index, *, progress: Progress = silent) -> Iterator[dict[str, Any]]:
    """A row for each place of an index, by ascending id; unknown values are left out."""
    for count, (place, sequence) in enumerate(zip(index.places(), index.sequences(), strict=True)):
        if count % _PROGRESS_ROWS == 0:
            progress("Writing", count, len(index))
        row: dict[str, Any] = {"place_id": place.place_id, "name": place.name}
        row["path"] = skipped_name(str(place.path))
        if place.position is not None:
            row |= place.position._asdict()
        if place.utm is not None:
            row |= place.utm._asdict()
        if sequence:
            row["sequence"] = sequence
        if place.heading is not None:
            row["heading"] = place.heading
        if place.taken is not None and (time := iso_time(place.taken)):
            row["time"] = time
        yield row | {_own_column(name): value for name, value in place.fields.items()}
