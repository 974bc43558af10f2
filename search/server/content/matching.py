"""ETag and If-Match of places and groups: of two people who change one, the second is told."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from place_search.indexer import EditConflictError, Groups, Place
from place_search.search.results import place_dict
from place_search.search.server.content.groups import group_dict


def place_tag(place: Place) -> str:
    """The ETag of what is told of a place; another version of the index changes none."""
    return _tag([place_dict(place, ""), place.version, str(place.path)])


def group_tag(told: Mapping[str, Any]) -> str:
    """The ETag of what is told of a group (`group_dict`)."""
    return _tag(["group", told])


def _tag(told: object) -> str:
    content = json.dumps(told).encode("utf-8", "surrogateescape")
    return f'"{hashlib.sha256(content).hexdigest()[:24]}"'


def required_version(place: Place, if_match: str | None) -> int | None:
    """Which version of a place a change is meant for, None for any; see RFC 9110, If-Match.

    Raises:
        EditConflictError: the place is not what the client has read.
    """
    if if_match is None:
        return None
    if _is_meant(place_tag(place), if_match):
        return place.version
    raise EditConflictError(
        f"Place {place.place_id} is not as you have read it, as somebody has changed it since; "
        "read it again, and repeat your change if it is still wanted."
    )


def require_group(groups: Groups, place_id: int, if_match: str | None) -> None:
    """Make sure that a change is meant for the group of a place as it is among these `groups`.

    Raises:
        EditConflictError: the group is not what the client has read.
    """
    if if_match is not None and not _is_meant(group_tag(group_dict(groups, place_id)), if_match):
        raise EditConflictError(
            f"The group of place {place_id} is not as you have read it, as somebody has changed it "
            "since; read it again, and repeat your change if it is still wanted."
        )


def _is_meant(tag: str, if_match: str) -> bool:
    # A proxy that compresses makes a tag weak, but it is of what is told, not of its bytes.
    return bool({"*", tag} & {each.strip().removeprefix("W/") for each in if_match.split(",")})
