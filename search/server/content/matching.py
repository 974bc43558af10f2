"""ETag and If-Match of places and groups: the later of two conflicting changes is refused."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from place_search.indexer import EditConflictError, Groups, Place
from place_search.search.results import place_dict
from place_search.search.server.content.groups import group_dict


def place_tag(place: Place) -> str:
    """The ETag of a place's JSON and version; it is the same in other versions of the index."""
    return _tag([place_dict(place, ""), place.version, str(place.path)])


def group_tag(group: Mapping[str, Any]) -> str:
    """The ETag of a group's JSON (`group_dict`)."""
    return _tag(["group", group])


def _tag(content: object) -> str:
    text = json.dumps(content).encode("utf-8", "surrogateescape")
    return f'"{hashlib.sha256(text).hexdigest()[:24]}"'


def required_version(place: Place, if_match: str | None) -> int | None:
    """The version of a place that a change is for, None for any; see RFC 9110, If-Match.

    Raises:
        EditConflictError: the place is not the version that the client has read.
    """
    if if_match is None:
        return None
    if is_named(place_tag(place), if_match):
        return place.version
    raise EditConflictError(
        f"Place {place.place_id} is not as you have read it, as somebody has changed it since; "
        "read it again, and repeat your change if it is still wanted."
    )


def require_group(groups: Groups, place_id: int, if_match: str | None) -> None:
    """Make sure that If-Match names the present version of a place's group in `groups`.

    Raises:
        EditConflictError: the group is not the version that the client has read.
    """
    if if_match is not None and not is_named(group_tag(group_dict(groups, place_id)), if_match):
        raise EditConflictError(
            f"The group of place {place_id} is not as you have read it, as somebody has changed it "
            "since; read it again, and repeat your change if it is still wanted."
        )


def is_named(tag: str, condition: str) -> bool:
    """Whether an If-Match or If-None-Match names the version of the ETag `tag`."""
    # A proxy that compresses makes a tag weak, but the tag is of the content, not of its bytes.
    return bool({"*", tag} & {each.strip().removeprefix("W/") for each in condition.split(",")})
