"""A CSV list as a source: `path,latitude,longitude` or `path,easting,northing[,zone]`.

The columns `name`, `sequence`, `time` and `heading` are optional.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from place_search.core.geodesy import Position, Utm, is_null_island, is_zone, utm_contradiction
from place_search.core.tables import PhotosOnce, open_table, parse_number
from place_search.core.text import counted
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.at_names import read_at_name
from place_search.indexer.sources.gpx import in_utc, parse_time
from place_search.indexer.sources.photo_files import PhotoFiles
from place_search.indexer.sources.photo_list import Doubt, PhotoList, Source

_FIRST_PHOTO = datetime(1826, 11, 10, tzinfo=UTC).timestamp()
_YEAR_2200 = datetime(2200, 1, 1, tzinfo=UTC).timestamp()

ACCEPTS = "a .csv file with the columns path,latitude,longitude"
OPTIONAL = ("name", "sequence", "time", "heading")
HOLDS_ROOT = True
"""Paths are relative to the file."""


def reads(data: Path) -> bool:
    """Whether this is a CSV file, by its ending."""
    return data.suffix.lower() == ".csv" and data.is_file()


def read(data: Path, root: Path | None = None) -> Source:
    """Read a list of photos: paths under the file's folder, positions where they are not blank.

    Names that start with `@` give the positions that the rows lack. Photos keep the order of the
    rows. Other columns are left out. The position 0, 0 stands for an unknown one. `sequence` names
    the walk or drive of a photo. `time` is its capture time in ISO 8601, in UTC where it names no
    zone, or in seconds since 1970. `heading` is its viewing direction, or that of the middle of a
    360° panorama, in degrees from north.

    Raises:
        SourceError: not UTF-8 CSV, a missing column, a number or time that is broken or out of
            range, a path that does not exist or is listed twice; the message names the row.
    """
    root = data.resolve().parent
    photos, files = PhotoList(root), PhotoFiles(root)
    once = PhotosOnce(data, root, SourceError)
    missing: list[tuple[int, str]] = []
    unknown: list[str] = []
    with open_table(data, error=SourceError) as table:
        table.require(*_required_columns(table.columns), hint="; positions may be blank")
        zone = ("zone",) if "easting" in table.columns else ()
        warnings = tuple(
            f"The column {column} of {data} is taken for a field of your own; call it {meant} if "
            "that is meant."
            for column, meant in table.misspelt(*OPTIONAL, *zone).items()
        )
        for row, fields in table:
            listed_path = _path(data, row, fields)
            path = files.find(listed_path)
            if path is None:
                path = listed_path
                missing.append((row, path))
            once.add(path, row)
            position, utm = _position(data, row, fields), _utm(data, row, fields)
            if position is not None and is_null_island(position):
                position = None
                unknown.append(path)
            if position is None and utm is None:
                position, utm = read_at_name(path)
            photos.append(
                path,
                name=fields.get("name", ""),
                position=position,
                utm=utm,
                sequence=fields.get("sequence", ""),
                taken=_time(data, row, fields.get("time", "")),
                heading=_heading(data, row, fields.get("heading", "")),
            )
    if not photos:
        raise SourceError(f"{data} names no photos; add one row a photo below its header.")
    if missing:
        row, path = missing[0]
        raise SourceError(
            f"{len(missing)} of the {len(photos)} photos that {data} names do not exist, the first "
            f"is '{path}' in row {row}; paths are relative to {root}."
        )
    doubts = photos.doubts(f"The rows of {data}")
    if unknown:
        sentence = (
            f"{counted(len(unknown), 'row')} of {data} with the position 0, 0, which counts as not "
            f"known, the first is '{unknown[0]}'."
        )
        doubts += (Doubt("position-zero", len(unknown), unknown[0], sentence),)
    return Source(root, photos, "csv", doubts=doubts, warnings=warnings)


def _required_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that a list must have; a list without positions is fine."""
    for pair in (("latitude", "longitude"), ("easting", "northing")):
        if set(pair) & set(columns):
            return "path", *pair
    placed = set(columns) - {"path", *OPTIONAL}
    return ("path", "latitude", "longitude") if placed else ("path",)


def _path(file: Path, row: int, fields: dict[str, str]) -> str:
    text = fields.get("path", "")
    if not text.strip() or "\0" in text:
        raise SourceError(f"{file} names no photo in row {row}; fill in its path.")
    return PurePosixPath(text).as_posix()


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
    utm = Utm(*pair, zone)
    if contradiction := utm_contradiction(utm):
        raise SourceError(
            f"{file} contradicts itself in row {row}: {contradiction}; correct one of them."
        )
    return utm


def _time(file: Path, row: int, text: str) -> float | None:
    if not text:
        return None
    seconds, time = parse_number(text), parse_time(text)
    if not math.isfinite(seconds) and time is not None:
        return in_utc(time).timestamp()
    # Milliseconds and small numbers are out of range; 20240531 is a day, not seconds.
    if not _FIRST_PHOTO <= seconds < _YEAR_2200 or time is not None:
        raise SourceError(
            f"{file} has '{text}' as time in row {row}; write it as 2026-05-01T10:00:00Z, in "
            "seconds since 1970, or leave it blank."
        )
    return seconds


def _heading(file: Path, row: int, text: str) -> float | None:
    if not text:
        return None
    degrees = parse_number(text)
    if not abs(degrees) <= 360:  # true for NaN too
        raise SourceError(
            f"{file} has '{text}' as heading in row {row}; give degrees clockwise from north, 0 to "
            "360, or leave it blank."
        )
    return degrees % 360


def _pair(
    file: Path, row: int, fields: dict[str, str], first: str, second: str
) -> tuple[float, float] | None:
    """Two numbers that belong together, or None where both are blank."""
    texts = [fields.get(column, "") for column in (first, second)]
    if not any(texts):
        return None
    numbers = []
    for column, text in zip((first, second), texts, strict=True):
        number = parse_number(text)
        if not math.isfinite(number):
            raise SourceError(
                f"{file} has '{text}' as {column} in row {row}, which is not a number; mend it or "
                f"leave both {first} and {second} blank."
            )
        numbers.append(number)
    return numbers[0], numbers[1]
