"""A CSV list as a source: `path,latitude,longitude[,name]` or `path,easting,northing[,zone]`."""

import csv
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from place_search.core.geodesy import Position, Utm, is_zone
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.photo_list import PhotoList, Source

COLUMNS = ("path", "latitude", "longitude", "easting", "northing", "zone", "name")
_OTHER_NAMES = {"lat": "latitude", "lon": "longitude", "lng": "longitude"}


def csv_column(heading: str) -> str:
    """The column that a heading of the first row stands for: ` Lat` is `latitude`."""
    name = heading.strip().lower()
    return _OTHER_NAMES.get(name, name)


def read_csv(file: Path) -> Source:
    """Read a list of photos: paths under the file's folder, positions where they are not blank.

    Photos keep the order of the rows. Other columns are left out.

    Raises:
        SourceError: not UTF-8 CSV, a missing column, a number that is broken or out of range, a
            path that does not exist or stands there twice; the message names the row.
    """
    root = file.resolve().parent
    photos = PhotoList(root)
    rows: dict[str, int] = {}
    missing: list[tuple[int, str]] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            for row, fields in _records(file, stream):
                path = _path(file, row, fields)
                if path in rows:
                    raise SourceError(
                        f"{file} names '{path}' twice, in rows {rows[path]} and {row}; "
                        "leave one of them out."
                    )
                rows[path] = row
                if not (root / path).is_file():
                    missing.append((row, path))
                photos.append(
                    path,
                    name=fields.get("name", ""),
                    position=_position(file, row, fields),
                    utm=_utm(file, row, fields),
                )
    except UnicodeDecodeError:
        raise SourceError(f"{file} is not UTF-8 text; save it as UTF-8 CSV.") from None
    except csv.Error as error:
        raise SourceError(f"{file} is not a CSV file ({error}); save it as UTF-8 CSV.") from error
    except OSError as error:
        raise SourceError(f"{file} cannot be read ({error.strerror}).") from error
    if not photos:
        raise SourceError(f"{file} names no photos; add one row a photo below its header.")
    if missing:
        row, path = missing[0]
        raise SourceError(
            f"{len(missing)} of the {len(photos)} photos that {file} names do not exist, the first "
            f"is '{path}' in row {row}; paths are relative to {root}."
        )
    return Source(root, photos, "csv")


def _records(file: Path, stream: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The row number in the file and the named fields of each row that is not blank."""
    reader = csv.reader(stream, strict=True)
    header = [csv_column(field) for field in next(reader, [])]
    absent = _absent(header)
    if absent:
        raise SourceError(
            f"{file} lacks the column {absent}: its first row must name the columns, as in "
            f"path,latitude,longitude, and names {','.join(header) or 'nothing'}."
        )
    if len(set(header) & set(COLUMNS)) < sum(field in COLUMNS for field in header):
        raise SourceError(f"{file} names a column twice in its first row; rename one of them.")
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        if len(fields) > len(header):
            raise SourceError(
                f"{file} has {len(fields)} fields in row {reader.line_num} under {len(header)} "
                "columns; put quotation marks around a path with a comma in it."
            )
        # zip stops early: fields that a short row lacks are blank.
        named = dict(zip(header, fields, strict=False))
        # A file name may begin or end with a space.
        yield reader.line_num, {k: v if k == "path" else v.strip() for k, v in named.items()}


def _absent(header: list[str]) -> str | None:
    """The first column that is missing; a list of paths and names alone is fine."""
    if "path" not in header:
        return "path"
    pairs = (("latitude", "longitude"), ("easting", "northing"))
    for pair in pairs:
        missing = [column for column in pair if column not in header]
        if len(missing) == 1:
            return missing[0]
    placed = any(pair[0] in header for pair in pairs)
    return None if placed or set(header) <= {"path", "name"} else "latitude"


def _path(file: Path, row: int, fields: dict[str, str]) -> str:
    text = fields.get("path", "")
    if not text.strip() or "\0" in text:
        raise SourceError(f"{file} names no photo in row {row}; fill in its path.")
    path = PurePosixPath(text.replace("\\", "/") if os.sep == "\\" else text)
    return path.as_posix()


def _position(file: Path, row: int, fields: dict[str, str]) -> Position | None:
    pair = _pair(file, row, fields, "latitude", "longitude")
    if pair is None:
        return None
    for column, value, limit in zip(("latitude", "longitude"), pair, (90, 180), strict=True):
        if abs(value) > limit:
            raise SourceError(
                f"{file} has the {column} {fields[column]} in row {row}; it must lie between "
                f"-{limit} and {limit} degrees."
            )
    return Position(*pair)


def _utm(file: Path, row: int, fields: dict[str, str]) -> Utm | None:
    pair = _pair(file, row, fields, "easting", "northing")
    if pair is None:
        return None
    zone = fields.get("zone", "").upper()
    if zone and not is_zone(zone):
        raise SourceError(
            f"{file} has the UTM zone '{zone}' in row {row}; give number and band, as in 17T."
        )
    return Utm(*pair, zone)


def _pair(
    file: Path, row: int, fields: dict[str, str], first: str, second: str
) -> tuple[float, float] | None:
    """Two numbers that belong together, or None where both are blank."""
    texts = [fields.get(column, "") for column in (first, second)]
    if not any(texts):
        return None
    numbers = []
    for column, text in zip((first, second), texts, strict=True):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise SourceError(
                f"{file} has '{text}' as {column} in row {row}, which is not a number; mend it or "
                f"leave both {first} and {second} blank."
            )
        numbers.append(number)
    return numbers[0], numbers[1]
