"""Edits: names, notes, tags, own fields and positions that people give to places.

One file beside the immutable shards holds them: the first line declares the index's own fields,
each further line is a place. The file is named by its content, so that a new version never
overwrites the version that is read.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from place_search.core.errors import shell_command
from place_search.core.files import FileStamp, read_regular, stamp_of, write_whole
from place_search.core.geodesy import NULL_ISLAND, Position, is_null_island, is_on_earth
from place_search.core.rows import is_among
from place_search.core.tables import number_of, parse_number
from place_search.core.text import composed, is_shown, parse_json
from place_search.indexer.errors import FieldError, IndexFormatError, read_refusal

FieldType: TypeAlias = Literal["text", "number", "boolean", "date"]
FieldValue: TypeAlias = str | float | bool
"""A date is text such as 2024-05-31."""

FIELD_TYPES: tuple[FieldType, ...] = get_args(FieldType)
MAX_FIELDS = 64
MAX_TAGS = 64
MAX_TEXT = 4000
MAX_NAME = 200
MAX_TAG = 100

_FILE = re.compile(r"edits-[0-9a-f]{16}\.jsonl")
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Edit:
    """The values that people gave to a place; `version` counts the edits of the place.

    An empty `name` stands for the photo's name, and no `position` for the photo's position.
    """

    version: int = 0
    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    position: Position | None = None

    def to_dict(self) -> dict[str, Any]:
        """The edit as a line of the file, without empty values."""
        line: dict[str, Any] = {"version": self.version}
        line |= {"name": self.name} if self.name else {}
        line |= {"note": self.note} if self.note else {}
        line |= {"tags": list(self.tags)} if self.tags else {}
        line |= {"fields": dict(self.fields)} if self.fields else {}
        return line | ({"position": list(self.position)} if self.position else {})


NOT_EDITED = Edit()


@dataclass(frozen=True, slots=True)
class Edits:
    """All edits of an index: its own fields, and edits by place id.

    `by_path` has the edits of photos that have no place now, by their stored paths.
    """

    fields: Mapping[str, FieldType] = field(default_factory=dict)
    by_place: Mapping[int, Edit] = field(default_factory=dict)
    by_path: Mapping[str, Edit] = field(default_factory=dict)

    def of(self, place_id: int) -> Edit:
        """The edit of a place; `NOT_EDITED` where nobody edited it."""
        return self.by_place.get(place_id, NOT_EDITED)

    def rows(self, place_ids: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Row and id of each edited place among ascending ids, in their order."""
        ids = np.array(sorted(self.by_place), np.int64)
        present = ids[is_among(ids, place_ids)]
        return list(
            zip(np.searchsorted(place_ids, present).tolist(), present.tolist(), strict=True)
        )

    def content(self) -> bytes:
        """The file: JSON lines by ascending place id, then path. Equal edits give equal bytes."""
        head = {"fields": dict(self.fields)}
        lines_by_place = (
            {"place_id": key, **self.by_place[key].to_dict()} for key in sorted(self.by_place)
        )
        lines_by_path = (
            {"path": path, **self.by_path[path].to_dict()} for path in sorted(self.by_path)
        )
        return b"".join(
            json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            for line in (head, *lines_by_place, *lines_by_path)
        )


NO_EDITS = Edits()


def is_edits_file(name: str) -> bool:
    """Whether a file of an index holds its edits."""
    return _FILE.fullmatch(name) is not None


def edits_file(files: Iterable[str]) -> str:
    """The name of the file that holds the edits of an index; "" where it has no edits."""
    return next(filter(is_edits_file, files), "")


def write_edits(folder: Path, edits: Edits) -> dict[str, FileStamp]:
    """Write the file of edits. Returns its name and stamp; empty where there are no edits."""
    if edits == NO_EDITS:
        return {}
    content = edits.content()
    name = f"edits-{hashlib.sha256(content).hexdigest()[:16]}.jsonl"
    return {name: write_whole(folder / name, content)}


def read_edits(folder: Path, files: Mapping[str, FileStamp]) -> Edits:
    """The edits of the version of an index that has these files.

    Raises:
        IndexFormatError: the file is missing or damaged.
        IndexReadError: the file may not or cannot be read.
    """
    name = edits_file(files)
    if not name:
        return NO_EDITS
    try:
        content = read_regular(folder / name)
        if stamp_of(content) != files[name]:
            raise ValueError(name)
        head, *rows = parse_json(b"[" + content.strip().replace(b"\n", b",") + b"]")
        return _edits_of(dict(head["fields"]), rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise read_refusal(folder / name, error) or IndexFormatError(
            f"{folder / name} is missing or damaged; "
            f"{shell_command('verify', folder, '--repair')} keeps what can be read of it."
        ) from None


def with_successors(edits: Edits, successors: Mapping[int, int]) -> Edits:
    """The edits with each place replaced by its successor: new place id by old place id."""
    by_place = {successors.get(key, key): edit for key, edit in edits.by_place.items()}
    return replace(edits, by_place=by_place)


def salvage_edits(path: Path) -> Edits:
    """The edits in the readable lines of a damaged file."""
    fields: Mapping[str, FieldType] = {}
    rows: list[Mapping[str, Any]] = []
    try:
        lines = read_regular(path).splitlines()
    except OSError:
        return NO_EDITS
    for line in lines:
        try:
            row = parse_json(line)
            if "fields" in row and not {"place_id", "path"} & row.keys():
                fields = check_schema(row["fields"])
            else:
                _edits_of(fields, [row])
                rows.append(row)
        except (ValueError, KeyError, TypeError, AttributeError, FieldError):
            continue
    return _edits_of(fields, rows)


def _edits_of(fields: Mapping[str, FieldType], rows: Iterable[Mapping[str, Any]]) -> Edits:
    by_place: dict[int, Edit] = {}
    by_path: dict[str, Edit] = {}
    for row in rows:
        if "path" in row:
            by_path[str(row["path"])] = _parse(row)
        else:
            by_place[int(row["place_id"])] = _parse(row)
    return Edits(fields, by_place, by_path)


def _parse(row: Mapping[str, Any]) -> Edit:
    position = row.get("position")
    return Edit(
        version=int(row["version"]),
        name=row.get("name", ""),
        note=row.get("note", ""),
        tags=tuple(row.get("tags", ())),
        fields=row.get("fields", {}),
        position=None if position is None else Position(*position),
    )


def check_schema(fields: Mapping[str, Any]) -> dict[str, FieldType]:
    """Declarations of own fields, checked. Raises `FieldError`."""
    if len(fields) > MAX_FIELDS:
        raise FieldError(f"An index has at most {MAX_FIELDS} own fields, not {len(fields)}.")
    for name, kind in fields.items():
        if not FIELD_NAME.fullmatch(name):
            raise FieldError(
                f"'{name[:80]}' is no name for a field; use up to 64 letters, digits, _ and -, "
                "beginning with a letter."
            )
        if kind not in FIELD_TYPES:
            raise FieldError(
                f"The field {name} cannot be of type '{str(kind)[:40]}'; the types are "
                f"{', '.join(FIELD_TYPES)}."
            )
    return dict(fields)


def field_value(name: str, value: object, declared: Mapping[str, FieldType]) -> FieldValue:
    """A value of an own field in its declared type. Raises `FieldError`."""
    kind = type_of(name, declared)
    if kind == "boolean" and isinstance(value, bool | np.bool_):
        return bool(value)
    if kind == "number" and not math.isnan(number := number_of(value)):
        return number
    if kind == "text" and isinstance(value, str):
        return checked_text(f"field {name}", value, MAX_TEXT)
    if kind == "date" and isinstance(value, str):
        with suppress(ValueError):
            return date.fromisoformat(value).isoformat()
    wants = "a date such as 2024-05-31" if kind == "date" else f"a {kind}"
    raise FieldError(f"The field {name} takes {wants}, not {json.dumps(value, default=str)[:60]}.")


def parse_field_value(name: str, text: str, declared: Mapping[str, FieldType]) -> FieldValue:
    """A value of an own field from text, as the command line and addresses give it.

    Raises:
        FieldError: no such field, or a value of another type.
    """
    value: object = text
    kind = type_of(name, declared)
    if kind == "boolean":
        value = {"true": True, "false": False}.get(text.lower(), text)
    elif kind == "number":
        number = parse_number(text.strip())
        value = text if math.isnan(number) else number
    return field_value(name, value, declared)


def type_of(name: str, declared: Mapping[str, FieldType]) -> FieldType:
    """The type of an own field. Raises `FieldError` where the index declares none of that name."""
    if name not in declared:
        own_fields = f"it has {', '.join(declared)}" if declared else "it has none"
        raise FieldError(
            f"The index has no own field '{name[:80]}' ({own_fields}); `place-search fields INDEX "
            "set NAME:TYPE` declares one."
        )
    return declared[name]


def checked_text(label: str, text: str, longest: int, *, lines: bool = True) -> str:
    """A text that people gave. Raises `FieldError` where it is too long or cannot be shown."""
    text = text.replace("\r\n", "\n") if lines else text
    if len(text) > longest:
        raise FieldError(f"The {label} has {len(text)} letters; at most {longest} are kept.")
    printed = text.replace("\n", "").replace("\t", "") if lines else text
    if not is_shown(printed):
        raise FieldError(f"The {label} holds letters that cannot be printed; leave them out.")
    return text


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Distinct tags in their order, in composed characters. Raises `FieldError`."""
    distinct = tuple(dict.fromkeys(composed(tag.strip()) for tag in tags))
    if len(distinct) > MAX_TAGS:
        raise FieldError(f"A place has at most {MAX_TAGS} tags, not {len(distinct)}.")
    if "" in distinct:
        raise FieldError("A tag is empty; leave it out.")
    return tuple(checked_text("tag", tag, MAX_TAG, lines=False) for tag in distinct)


def checked_position(latitude: float, longitude: float) -> Position:
    """A position that people gave, in degrees. Raises `FieldError` where it is not on Earth."""
    position = Position(latitude, longitude)
    if not is_on_earth(position):
        raise FieldError(
            f"The position {latitude:.10g},{longitude:.10g} is not on Earth; latitude goes from "
            "-90 to 90, longitude from -180 to 180."
        )
    if is_null_island(position):
        raise FieldError(NULL_ISLAND)
    return position
