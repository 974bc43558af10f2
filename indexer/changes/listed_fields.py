"""Own fields of places from a CSV list of photos: its columns without a meaning for photos."""

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path, PurePosixPath

from place_search.core.tables import open_table, parse_number
from place_search.indexer.changes.change import changing
from place_search.indexer.changes.edit import KEYS, replace_edits
from place_search.indexer.errors import FieldError, IndexFormatError, SourceError
from place_search.indexer.pipeline import stored_path
from place_search.indexer.place_rows import COLUMNS
from place_search.indexer.sources.kept_views import panorama_folder, panorama_of, path_in_source
from place_search.indexer.sources.kinds.csv_list import reads
from place_search.indexer.sources.photo_files import PhotoFiles
from place_search.indexer.storage.edits import (
    FIELD_NAME,
    FieldType,
    FieldValue,
    check_schema,
    parse_field_value,
    read_edits,
)
from place_search.indexer.storage.lock import FINISHING_SECONDS
from place_search.indexer.storage.manifest import read_manifest

OF_PHOTOS = {*COLUMNS, *KEYS}
"""Columns that are no own fields: those of photos, and keys of edits."""
_ZEROS = re.compile(r"[+-]?0\d")


@dataclass(frozen=True, slots=True)
class ListedFields:
    """The own fields that a list gives: their types, and the values by path under its root.

    `left_out` are columns whose names no field can have.
    """

    root: Path
    types: Mapping[str, FieldType]
    values: Mapping[str, Mapping[str, FieldValue]]
    left_out: tuple[str, ...] = ()


def read_listed_fields(data: Path, folder: Path) -> ListedFields | None:
    """The own fields that a CSV list gives the places of an index, which need not exist yet.

    A field that the index declares keeps its type; another field is a number, a boolean or a date
    where all its values are, and else a text. Blank values are left out. None where `data` is no
    CSV list, or has no column for own fields.

    Raises:
        FieldError: there are too many fields.
        SourceError: the list cannot be read, or a value does not fit its field; it names the row.
    """
    if not reads(data):
        return None
    declared = _declared(folder)
    root = data.resolve().parent
    texts: dict[str, list[tuple[int, str, str]]] = {}
    with open_table(data, error=SourceError) as table:
        names = [name for name in dict.fromkeys(table.columns) if name and name not in OF_PHOTOS]
        columns = [name for name in names if FIELD_NAME.fullmatch(name)]
        for row, fields in table if names else ():
            path = PurePosixPath(fields.get("path", "")).as_posix()
            for name in columns:
                if fields[name]:
                    texts.setdefault(name, []).append((row, path, fields[name]))
    if not names:
        return None
    types = dict(declared)
    for name, cells in texts.items():
        types.setdefault(name, _type_of(text for _, _, text in cells))
    check_schema(types)
    files, values = PhotoFiles(root), dict[str, dict[str, FieldValue]]()
    for name, cells in texts.items():
        for row, path, text in cells:
            with _in_row(data, row):
                value = parse_field_value(name, text, types)
            values.setdefault(files.find(path) or path, {})[name] = value
    left_out = tuple(name for name in names if name not in columns)
    return ListedFields(root, {name: types[name] for name in texts}, values, left_out)


def keep_listed_fields(folder: Path, listed: ListedFields) -> int:
    """Give places the own fields of their photos; returns the number of changed places.

    Each view of a panorama gets the fields of the panorama. A value that a place has already stays:
    people may have edited it since.

    Raises:
        FieldError: somebody has declared a field of another type meanwhile.
        IndexFormatError, IndexWriteError: as `edit_place`.
    """
    with changing(folder, patience=FINISHING_SECONDS) as change:
        edits = change.edits
        fields = check_schema({**listed.types, **edits.fields})
        if any(fields[name] != kind for name, kind in listed.types.items()):
            raise FieldError(f"The fields of {folder} have been changed meanwhile; add them again.")
        root = change.manifest.root
        of_photos: dict[bytes, Mapping[str, FieldValue]] = {}
        of_panoramas: dict[bytes, Mapping[str, FieldValue]] = {}
        for listed_path, values in listed.values.items():
            photo = listed.root / listed_path
            stored = stored_path(photo, root)
            of_photos[path_in_source(os.fsencode(stored))] = values
            of_panoramas[os.fsencode(panorama_folder(Path(), stored))] = values
        by_place = dict(edits.by_place)
        changed_count = 0
        paths = change.contents.column("path").tolist()
        for place, path in zip(change.contents.rows.place_ids.tolist(), paths, strict=True):
            own = of_photos.get(path_in_source(path))
            own = own or of_panoramas.get(path_in_source(panorama_of(path)), {})
            edit = edits.of(place)
            merged = {**own, **edit.fields}
            if merged != edit.fields:
                by_place[place] = replace(edit, fields=merged, version=edit.version + 1)
                changed_count += 1
        if changed_count or fields != edits.fields:
            replace_edits(change, replace(edits, fields=fields, by_place=by_place))
        return changed_count


def _declared(folder: Path) -> Mapping[str, FieldType]:
    try:
        return read_edits(folder, read_manifest(folder).files).fields
    except IndexFormatError:
        return {}  # there is no index yet, or one that is made anew


def _type_of(texts: Iterable[str]) -> FieldType:
    """The narrowest type that all values of a column have."""
    tests: Mapping[FieldType, Callable[[str], bool]] = {
        # 007 is a name, whose zeros count.
        "number": lambda text: not math.isnan(parse_number(text)) and not _ZEROS.match(text),
        "boolean": lambda text: text.lower() in ("true", "false"),
        "date": _is_date,
    }
    candidates = dict(tests)
    for text in texts:
        candidates = {kind: fits for kind, fits in candidates.items() if fits(text)}
        if not candidates:
            break
    return next(iter(candidates), "text")


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@contextmanager
def _in_row(data: Path, row: int) -> Iterator[None]:
    try:
        yield
    except FieldError as error:
        raise SourceError(f"{data}, row {row}: {error}") from None
