"""ETag and If-Match of places: of two people who change one place, the second is told."""

import hashlib
import json

from place_search.indexer import EditConflictError, Place
from place_search.search.results import place_dict


def place_tag(place: Place) -> str:
    """The ETag of what is told of a place; another version of the index changes none."""
    told = json.dumps([place_dict(place, ""), place.version, str(place.path)])
    return f'"{hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:24]}"'


def required_version(place: Place, if_match: str | None) -> int | None:
    """Which version of a place a change is meant for, None for any; see RFC 9110, If-Match.

    Raises:
        EditConflictError: the place is not what the client has read.
    """
    if if_match is None:
        return None
    # A proxy that compresses makes a tag weak, but it is of what is told, not of its bytes.
    tags = {tag.strip().removeprefix("W/") for tag in if_match.split(",")}
    if "*" in tags or place_tag(place) in tags:
        return place.version
    raise EditConflictError(
        f"Place {place.place_id} is not as you have read it, as somebody has changed it since; "
        "read it again, and repeat your change if it is still wanted."
    )
