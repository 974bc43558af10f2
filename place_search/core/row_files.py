"""Files of rows for other programs: CSV, JSON lines, GeoJSON or Parquet, by their ending."""

import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

from place_search.core.errors import PlaceSearchError, WrongParameterError
from place_search.core.files import (
    first_bytes,
    replacing,
    require_own,
    require_writable,
    telling_unwritable,
)
from place_search.core.tables import table_line

Row: TypeAlias = Mapping[str, Any]
"""Values by column; a missing value is None or has no key."""
Columns: TypeAlias = Mapping[str, type]
"""The columns in their order, each with its type: str, int, float or bool."""

PARQUET = ".parquet"
GROUP_ROWS = 50_000
"""The rows of a row group of Parquet, which are in memory together."""
_COLLECTION = '{"type": "FeatureCollection", "features": ['
DRAWN = frozenset({".geojson", ".gpx"})
"""The endings of files that are drawn on a map."""
IN_WORDS = ".csv, .jsonl, .geojson or .parquet"


def require_row_file(path: Path, columns: Columns, index: Path) -> None:
    """Refuse a file that `write_rows` could not or should not write, before any work is done.

    Raises:
        PlaceSearchError: its ending names no format, its folder does not exist, the package for
            Parquet is not installed, it holds something else than such rows, or is part of the
            `index`.
    """
    if path.suffix.lower() not in _WRITERS:
        raise WrongParameterError(f"{path} must end in {IN_WORDS}.", "out")
    if path.suffix.lower() == PARQUET and importlib.util.find_spec("pyarrow") is None:
        raise PlaceSearchError(
            f"{path} cannot be written, because the package pyarrow is not installed; run "
            "`pip install 'place-search[parquet]'`, or name a .csv file."
        )
    require_writable(path, index=index)
    require_own(path, f"rows of {', '.join(columns)}", partial(_has_columns, columns))


def _has_columns(columns: Columns, path: Path) -> bool:
    """Whether rows of these columns were written to a file."""
    if path.suffix.lower() == PARQUET:
        from pyarrow import ArrowInvalid, parquet

        try:
            return list(parquet.read_schema(path).names) == list(columns)
        except ArrowInvalid:
            return False
    head = first_bytes(path)
    if path.suffix.lower() == ".csv":
        return head.startswith(table_line(columns).encode())
    first, *further = (f'"{name}": '.encode() for name in columns)
    if path.suffix.lower() == ".geojson":
        return is_collection_of(first, head)
    return head.startswith(b"{" + first) and any(name in head for name in further)


def is_collection_of(first: bytes, head: bytes) -> bool:
    """Whether a file is GeoJSON of `json.dumps` whose first property begins with `first`."""
    begin = _COLLECTION.encode()
    return head.startswith(begin) and (
        b'"properties": {' + first in head or head[len(begin) :] == b"]}\n"
    )


def write_rows(path: Path, columns: Columns, rows: Iterable[Row]) -> None:
    """Write rows, all of them or nothing. GeoJSON needs the columns `latitude` and `longitude`.

    Raises:
        PlaceSearchError: the file cannot be written.
    """
    with telling_unwritable(path), replacing(path) as part:
        _WRITERS[path.suffix.lower()](part, columns, rows)


def empty_map_note(path: Path, *, placed: bool) -> str | None:
    """A sentence on a file for maps where no place of the index is `placed` in degrees."""
    if placed or path.suffix.lower() not in DRAWN:
        return None
    return (
        "No place of the index has a latitude and a longitude, so that there is nothing on the map "
        f"of {path.name}."
    )


def _write_csv(path: Path, columns: Columns, rows: Iterable[Row]) -> None:
    lines = (table_line(row.get(name) for name in columns) for row in rows)
    _write_text(path, chain([table_line(columns)], lines))


def _write_jsonl(path: Path, _columns: Columns, rows: Iterable[Row]) -> None:
    _write_text(path, (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _write_geojson(path: Path, columns: Columns, rows: Iterable[Row]) -> None:
    _write_text(path, _collection(columns, rows))


def _collection(columns: Columns, rows: Iterable[Row]) -> Iterator[str]:
    """A point for each row, or a null geometry for a row without a position."""
    yield _COLLECTION
    for count, row in enumerate(rows):
        feature = {
            "type": "Feature",
            "geometry": _point(row.get("latitude"), row.get("longitude")),
            "properties": {
                name: row.get(name) for name in columns if name not in ("latitude", "longitude")
            },
        }
        yield ", " * bool(count) + json.dumps(feature, ensure_ascii=False)
    yield "]}\n"


def _write_text(path: Path, parts: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(parts)


def _point(latitude: float | None, longitude: float | None) -> dict[str, Any] | None:
    if latitude is None or longitude is None:
        return None
    return {"type": "Point", "coordinates": [longitude, latitude]}


def _write_parquet(path: Path, columns: Columns, rows: Iterable[Row]) -> None:
    import pyarrow
    from pyarrow import parquet

    kinds = {
        str: pyarrow.string(),
        bool: pyarrow.bool_(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
    }
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    remaining = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while part := list(islice(remaining, GROUP_ROWS)):
            writer.write_table(pyarrow.Table.from_pylist(part, schema))


_WRITERS: Mapping[str, Callable[[Path, Columns, Iterable[Row]], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".geojson": _write_geojson,
    PARQUET: _write_parquet,
}
