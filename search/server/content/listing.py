"""The places of an index page by page, by a cursor that says after which place a page begins.

The cursor holds that place's sort key and id, not a number of rows to skip: places that come or go
between two pages neither repeat nor hide others. A spot stands where its first photo does, so that
it may come again when that one is removed: the page then says that the index has changed.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from place_search.indexer import Filter, Index, Place
from place_search.indexer.filters import SORTS, SortedRows
from place_search.indexer.storage.edits import edits_file
from place_search.indexer.storage.groups import GROUPS
from place_search.search.errors import ParameterError
from place_search.search.server.content.groups import NO_CURSOR, OTHER_CURSOR

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Some places, how many there are in all that fit, and where the next page begins.

    `changed` says that the cursor is of another version of the index.
    """

    places: Sequence[Place]
    total: int
    next_cursor: str | None
    changed: bool


def list_places(
    index: Index,
    wanted: Filter,
    *,
    served: str,
    sort: str = "id",
    spots: bool = False,
    limit: int = 100,
    cursor: str | None = None,
) -> Page:
    """A page of the places that fit a filter; with `spots` the first alone of each group of them.

    Its cursor is good for the index that is `served` by this name alone.

    Raises:
        ParameterError: no such order, or a cursor that is none, or of another listing.
    """
    if sort not in SORTS:
        raise ParameterError(
            f"The parameter sort is one of {', '.join(SORTS)}, not '{sort[:40]}'.", "sort"
        )
    listing = repr((served, sort, spots, wanted))
    asked = hashlib.sha256(listing.encode("utf-8", "replace")).hexdigest()[:12]
    order = index.ordered(sort, wanted, spots=spots)
    if spots:
        order = _first_of_spots(index, order, backwards=sort.startswith("-"))
    start, made_for = 0, _version(index)
    if cursor is not None:
        made_for, key, place_id = _read(cursor, asked)
        start = _position(order, index, key, place_id, sort.startswith("-"))
    rows = order.rows[::-1] if sort.startswith("-") else order.rows
    shown = rows[start : start + limit]
    following = None
    if start + limit < len(rows):
        following = _cursor(index, order, sort, asked, start + limit - 1)
    places = [index.place(int(place_id)) for place_id in index.place_ids[shown]]
    return Page(places, len(rows), following, made_for != _version(index))


def _first_of_spots(index: Index, order: SortedRows, *, backwards: bool) -> SortedRows:
    """Of the places of each group the one that is listed first."""
    ids = index.place_ids[order.rows]
    if backwards:
        first = np.sort(len(ids) - 1 - index.groups.first_of_spots(ids[::-1]))
    else:
        first = index.groups.first_of_spots(ids)
    return SortedRows(order.rows[first], order.keys[first])


def _version(index: Index) -> str:
    """What tells this version of an index from those before: names that are said order it too."""
    groups = index.manifest.files.get(GROUPS)
    return f"{index.index_id} {edits_file(index.manifest.files)} {groups and groups.sha256[:12]}"


def _cursor(index: Index, order: SortedRows, sort: str, asked: str, at: int) -> str:
    """The cursor of the page after the place at this position of the listing."""
    at = len(order.rows) - 1 - at if sort.startswith("-") else at
    key = order.keys[at].item()
    said = [
        _version(index),
        asked,
        key.decode() if isinstance(key, bytes) else repr(key),
        int(index.place_ids[order.rows[at]]),
    ]
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def _read(cursor: str, asked: str) -> tuple[str, str, int]:
    try:
        said: Any = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", True))
        version, made_for, key, place_id = said
        if not isinstance(place_id, int) or not all(
            isinstance(text, str) for text in (version, made_for, key)
        ):
            raise ValueError(cursor)
    except (ValueError, TypeError, binascii.Error):
        raise ParameterError(NO_CURSOR, "cursor") from None
    if made_for != asked:
        raise ParameterError(OTHER_CURSOR, "cursor")
    return version, key, place_id


def _position(order: SortedRows, index: Index, key: str, place_id: int, backwards: bool) -> int:
    """Where in a listing the places begin that come after one of this key and id."""
    kind = order.keys.dtype.kind
    try:
        value: Any = key.encode() if kind == "S" else (int(key) if kind == "i" else float(key))
    except ValueError:
        raise ParameterError(NO_CURSOR, "cursor") from None
    left = int(np.searchsorted(order.keys, value, "left"))
    right = int(np.searchsorted(order.keys, value, "right"))
    ids = index.place_ids[order.rows[left:right]]
    if backwards:
        return len(order.rows) - (left + int(np.searchsorted(ids, place_id, "left")))
    return left + int(np.searchsorted(ids, place_id, "right"))
