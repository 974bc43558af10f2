"""Groups over HTTP: as JSON, listed page by page, and changed by a JSON object."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from place_search.search.errors import ParameterError
from place_search.search.groups.by_hand import GroupEdit

if TYPE_CHECKING:
    from place_search.indexer import Groups, Index

NO_CURSOR = "The parameter cursor is none that this server gave; leave it out to begin anew."
OTHER_CURSOR = (
    "The cursor belongs to another sort or filter, or to another index; leave it out to begin anew."
)


def list_groups(index: "Index", served: str, limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of the groups of several photos or with a name.

    A cursor is the name by which the index is `served`, and the id of the page's last group.
    Raises `ParameterError`.
    """
    groups = index.groups
    start = 0
    if cursor is not None:
        index_name, _, last = cursor.rpartition(":")
        if not (index_name and last.isascii() and last.isdecimal() and len(last) < 19):
            raise ParameterError(NO_CURSOR, "cursor")
        if index_name != served:
            raise ParameterError(OTHER_CURSOR, "cursor")
        start = int(np.searchsorted(groups.listed_ids, int(last), "right"))
    shown = groups.listed_ids[start : start + limit].tolist()
    more = start + limit < len(groups.listed_ids)
    return {
        "index_id": index.index_id,
        "total": len(groups.listed_ids),
        "groups": [_group(groups, group) for group in shown],
        "next_cursor": f"{served}:{shown[-1]}" if more else None,
    }


def group_dict(groups: "Groups", place_id: int) -> dict[str, Any]:
    """The group that a place is in; for a place that was never grouped, a group of it alone."""
    group = groups.of(place_id)
    if group is None:
        return {"id": place_id, "name": None, "photos": 1, "held": False, "place_ids": [place_id]}
    return _group(groups, group)


def _group(groups: "Groups", group: int) -> dict[str, Any]:
    places = groups.members(group)
    return {
        "id": group,
        "name": groups.name(group),
        "photos": len(places),
        "held": bool(groups.held[np.searchsorted(groups.place_id, places)].any()),
        "place_ids": places.tolist(),
    }


def group_edit(index: "Index", place_id: int, patch: Mapping[str, Any]) -> GroupEdit | None:
    """The change that a JSON object describes for the group of a place; None for no change.

    Raises:
        UnknownPlaceError: there is no such place.
        FieldError: a value of another type, or a name that does not fit.
        ParameterError: see `GroupEdit.check`.
    """
    from place_search.indexer import FieldError

    name = patch.get("name", None)
    if not isinstance(name, str | None):
        raise FieldError(f"The name of a group is text, not {type(name).__name__}.")
    add, remove = (_places(key, patch.get(key, [])) for key in ("add", "remove"))
    edit = GroupEdit(place_id, (name or "") if "name" in patch else None, add, remove)
    edit.check(index.row_of)
    now = group_dict(index.groups, place_id)
    named = edit.name is None or edit.name.strip() == (now["name"] or "")
    return None if named and not remove and set(add) <= set(now["place_ids"]) else edit


def _places(key: str, value: object) -> list[int]:
    from place_search.indexer import FieldError

    if isinstance(value, list) and all(type(place) is int for place in value):
        return value
    raise FieldError(f"What to {key} is a list of place ids, such as [17, 18].")
