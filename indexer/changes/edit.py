"""Tending places: their name, note, tags, own fields and corrected position."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsIndex

from place_search.core.files import FileStamp
from place_search.core.geodesy import Position
from place_search.core.tables import number_of
from place_search.indexer.changes.change import Change, changing
from place_search.indexer.errors import EditConflictError, FieldError
from place_search.indexer.storage.edits import (
    MAX_NAME,
    MAX_TEXT,
    Edit,
    Edits,
    FieldType,
    FieldValue,
    check_schema,
    checked_position,
    checked_tags,
    checked_text,
    field_value,
    is_edits_file,
    type_of,
    write_edits,
)
from place_search.indexer.storage.manifest import FORMAT_VERSION

KEYS = ("name", "note", "tags", "fields", "position")
"""The keys of a patch for a place."""


def edit_place(
    folder: Path, place_id: SupportsIndex, patch: Mapping[str, Any], *, version: int | None = None
) -> Edit:
    """Edit a place; keys that the patch does not name stay.

    The patch is a JSON merge patch (RFC 7396) of `KEYS`: null takes a value back, `fields` are
    merged, `tags` replaced; `position` holds latitude and longitude. The place must be of the
    `version` that is given, so that two people who edit a place at once do not undo each other.

    Returns: the new edit of the place, with a version one higher.

    Raises:
        UnknownPlaceError: there is no such place.
        EditConflictError: the place is of another version.
        FieldError: a value of the wrong type, or a field that the index does not declare.
        IndexFormatError: no index, a damaged one, or one of an older format.
        IndexWriteError: a full disk, a read-only folder, or another process that writes there.
    """
    with changing(Path(folder)) as change:
        edits = change.edits
        require_version(change, place_id, version)
        edited = int(place_id)
        edit = apply_patch(edits.of(edited), patch, edits.fields)
        edit = replace(edit, version=edits.of(edited).version + 1)
        replace_edits(change, replace(edits, by_place={**edits.by_place, edited: edit}))
        return edit


def declare_fields(
    folder: Path, declared: Mapping[str, str], *, drop: tuple[str, ...] = ()
) -> dict[str, FieldType]:
    """Declare own fields of an index, name by type, and drop others with all their values.

    Returns: all fields that the index declares now.

    Raises:
        FieldError: no such type, a name that is none, a field to drop that is not there, or another
            type for a field that places have already.
        IndexFormatError, IndexWriteError: as `edit_place`.
    """
    with changing(Path(folder)) as change:
        edits = change.edits
        for name in drop:
            if name not in edits.fields:
                raise FieldError(f"{folder} has no own field '{name[:80]}', so it is not dropped.")
        remaining = {name: kind for name, kind in edits.fields.items() if name not in drop}
        fields = check_schema({**remaining, **declared})
        for name, kind in declared.items():
            if remaining.get(name, kind) != kind and _values(edits, name):
                raise FieldError(
                    f"The field {name} is of type {remaining[name]} and places have it already; "
                    "drop it first, with all its values, or take another name."
                )
            if name not in edits.fields:  # a repair may have lost the declaration of a damaged file
                for value in _values(edits, name):
                    field_value(name, value, fields)
        by_place = {key: _without_fields(edit, drop) for key, edit in edits.by_place.items()}
        by_path = {path: _without_fields(edit, drop) for path, edit in edits.by_path.items()}
        replace_edits(change, Edits(fields, by_place, by_path))
        return fields


def require_version(change: Change, place_id: SupportsIndex, version: int | None) -> None:
    """Make sure that a place exists and, where a `version` is given, has this version.

    Raises:
        UnknownPlaceError: there is no such place.
        EditConflictError: it is of another version.
    """
    change.contents.rows.row_of(place_id)
    current_version = change.edits.of(int(place_id)).version
    if version is not None and version != current_version:
        raise EditConflictError(
            f"Somebody has edited place {place_id} since (it is at version {current_version}, "
            f"not {version}); read it again, and repeat your edit if it is still wanted."
        )


def apply_patch(edit: Edit, patch: Mapping[str, Any], declared: Mapping[str, FieldType]) -> Edit:
    """An edit with a patch applied; see `edit_place`. Raises `FieldError`."""
    for key in patch:
        if key not in KEYS:
            raise FieldError(f"A place has no '{key[:80]}' to edit; there are {', '.join(KEYS)}.")
    return Edit(
        version=edit.version,
        name=_name(patch["name"]) if "name" in patch else edit.name,
        note=_note(patch["note"]) if "note" in patch else edit.note,
        tags=_tags(patch["tags"]) if "tags" in patch else edit.tags,
        fields=_merge_fields(edit.fields, patch.get("fields", {}), declared),
        position=_position(patch["position"]) if "position" in patch else edit.position,
    )


def _name(value: object) -> str:
    return checked_text("name", _text("name", value), MAX_NAME, lines=False).strip()


def _note(value: object) -> str:
    return checked_text("note", _text("note", value), MAX_TEXT)


def _tags(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(tag, str) for tag in value):
        raise FieldError('The tags of a place are a list of text, such as ["gate", "night"].')
    return checked_tags(value)


def _position(value: object) -> Position | None:
    if value is None:
        return None
    keys = {"latitude", "longitude"}
    if isinstance(value, Mapping) and value.keys() == keys:
        latitude, longitude = number_of(value["latitude"]), number_of(value["longitude"])
        if not math.isnan(latitude + longitude):
            return checked_position(latitude, longitude)
    raise FieldError(
        'The position of a place is {"latitude": DEGREES, "longitude": DEGREES}, or null for that '
        "of its photo."
    )


def _text(label: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise FieldError(f"The {label} of a place is text, not {type(value).__name__}.")


def _merge_fields(
    old: Mapping[str, Any], patch: object, declared: Mapping[str, FieldType]
) -> dict[str, Any]:
    if patch is None:
        return {}
    if not isinstance(patch, Mapping):
        raise FieldError('The fields of a place are values by name, such as {"floor": 3}.')
    new = dict(old)
    for name, value in patch.items():
        if value is None:
            if name not in new:
                type_of(name, declared)  # raises for a name that is none
            new.pop(name, None)
        else:
            new[name] = field_value(name, value, declared)
    return new


def _values(edits: Edits, name: str) -> list[FieldValue]:
    all_edits = (*edits.by_place.values(), *edits.by_path.values())
    return [edit.fields[name] for edit in all_edits if name in edit.fields]


def _without_fields(edit: Edit, names: tuple[str, ...]) -> Edit:
    if not set(names) & edit.fields.keys():
        return edit
    remaining = {name: value for name, value in edit.fields.items() if name not in names}
    return replace(edit, fields=remaining, version=edit.version + 1)


def replace_edits(change: Change, edits: Edits) -> None:
    """Replace the edits of an index that is locked for a change."""
    other_files = {
        name: stamp for name, stamp in change.manifest.files.items() if not is_edits_file(name)
    }
    edit_files: dict[str, FileStamp] = write_edits(change.folder, edits)
    # Readers of format 2 know no edits, and would call the index damaged.
    change.rewrite(files={**other_files, **edit_files}, format_version=FORMAT_VERSION)
