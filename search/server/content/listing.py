"""The places of an index page by page; a cursor names the place after which a page begins.

The cursor has that place's sort key and id, not a number of rows to skip: places that are added or
removed between two pages neither repeat nor hide others. A spot is listed at its first photo, so
that the spot may repeat when that photo is removed: the page then says that the index has changed.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from place_search.core.text import parse_json
from place_search.indexer import Filter, Index, Place
from place_search.indexer.filters import SORTS, SortedRows
from place_search.indexer.storage.edits import edits_file
from place_search.indexer.storage.groups import GROUPS
from place_search.search.errors import ParameterError
from place_search.search.server.content.groups import NO_CURSOR, OTHER_CURSOR

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """A page of places, the `total` number that fit the filter, and the cursor of the next page.

    `changed` is whether the cursor is of another version of the index.
    """

    places: Sequence[Place]
    total: int
    next_cursor: str | None
    changed: bool


def list_places(
    index: Index,
    place_filter: Filter,
    *,
    served: str,
    sort: str = "id",
    spots: bool = False,
    limit: int = 100,
    cursor: str | None = None,
) -> Page:
    """A page of the places that fit a filter; with `spots` only the first place of each group.

    Its cursor is valid for the index with the name `served` only.

    Raises:
        ParameterError: an unknown order, or a cursor that is invalid or of another listing.
    """
    if sort not in SORTS:
        raise ParameterError(
            f"The parameter sort is one of {', '.join(SORTS)}, not '{sort[:40]}'.", "sort"
        )
    listing_key = repr((served, sort, spots, place_filter))
    digest = hashlib.sha256(listing_key.encode("utf-8", "replace")).hexdigest()[:12]
    order = index.ordered(sort, place_filter, spots=spots)
    if spots:
        order = _first_of_spots(index, order, backwards=sort.startswith("-"))
    start, cursor_version = 0, _version(index)
    if cursor is not None:
        cursor_version, key, place_id = _read(cursor, digest)
        start = _position(order, index, key, place_id, sort.startswith("-"))
    rows = order.rows[::-1] if sort.startswith("-") else order.rows
    shown = rows[start : start + limit]
    following = None
    if start + limit < len(rows):
        following = _cursor(index, order, sort, digest, start + limit - 1)
    places = [index.place(int(place_id)) for place_id in index.place_ids[shown]]
    return Page(places, len(rows), following, cursor_version != _version(index))


def _first_of_spots(index: Index, order: SortedRows, *, backwards: bool) -> SortedRows:
    """The rows of the places that are listed first of their groups."""
    ids = index.place_ids[order.rows]
    if backwards:
        first = np.sort(len(ids) - 1 - index.groups.first_of_spots(ids[::-1]))
    else:
        first = index.groups.first_of_spots(ids)
    return SortedRows(order.rows[first], order.keys[first])


def _version(index: Index) -> str:
    """The version of an index with its edits and groups, as edited names change the order."""
    groups = index.manifest.files.get(GROUPS)
    return f"{index.index_id} {edits_file(index.manifest.files)} {groups and groups.sha256[:12]}"


def _cursor(index: Index, order: SortedRows, sort: str, digest: str, at: int) -> str:
    """The cursor of the page after the place at the position `at` of the listing."""
    at = len(order.rows) - 1 - at if sort.startswith("-") else at
    key = order.keys[at].item()
    content = [
        _version(index),
        digest,
        key.decode() if isinstance(key, bytes) else repr(key),
        int(index.place_ids[order.rows[at]]),
    ]
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _read(cursor: str, digest: str) -> tuple[str, str, int]:
    """The index version, sort key and place id of a cursor of the listing with this digest."""
    try:
        content: Any = parse_json(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", True))
        version, cursor_digest, key, place_id = content
        if not isinstance(place_id, int) or not all(
            isinstance(text, str) for text in (version, cursor_digest, key)
        ):
            raise ValueError(cursor)
    except (ValueError, TypeError, binascii.Error):
        raise ParameterError(NO_CURSOR, "cursor") from None
    if cursor_digest != digest:
        raise ParameterError(OTHER_CURSOR, "cursor")
    return version, key, place_id


def _position(order: SortedRows, index: Index, key: str, place_id: int, backwards: bool) -> int:
    """The position in a listing of the first place after the place with this key and id."""
    kind = order.keys.dtype.kind
    try:
        value: Any = key.encode() if kind == "S" else (int(key) if kind == "i" else float(key))
    except ValueError:
        raise ParameterError(NO_CURSOR, "cursor") from None
    first = int(np.searchsorted(order.keys, value, "left"))
    end = int(np.searchsorted(order.keys, value, "right"))
    ids = index.place_ids[order.rows[first:end]]
    if backwards:
        return len(order.rows) - (first + int(np.searchsorted(ids, place_id, "left")))
    return first + int(np.searchsorted(ids, place_id, "right"))
