"""The photos that a server stores for added places: plain photos, and the views of panoramas."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from place_search.core.geodesy import Position
from place_search.indexer import Place
from place_search.photos import Photo
from place_search.photos.photo import Facing


class StoredPhoto(NamedTuple):
    """A photo to store: the file's name, its JPEG, and its position, time, name and heading.

    `original` is the sha256 of the photo as it was sent.
    """

    original: bytes
    file: str
    jpeg: bytes
    position: Position | None
    taken: float | None
    name: str
    heading: float | None


def stored_photo(
    name: str, original: bytes, seen: Photo, facing: Facing | None, jpeg: bytes
) -> StoredPhoto:
    """The photo `seen` to store as this JPEG, or a view of a panorama in the direction `facing`."""
    file = f"{hashlib.sha256(jpeg).hexdigest()[:32]}.jpg"
    if facing is None:
        return StoredPhoto(original, file, jpeg, seen.position, seen.taken, name, None)
    named = f"{name or file}#{facing}"
    return StoredPhoto(original, file, jpeg, seen.position, seen.taken, named, facing.heading)


def panoramas_of(
    sent: Sequence[Sequence[StoredPhoto]], places: Mapping[str, Place]
) -> list[list[int]]:
    """The place ids of the views of each panorama; `places` are by their photos' files.

    Photos with one place only are left out.
    """
    by_photo = [
        {places[view.file].place_id for view in views if view.file in places} for views in sent
    ]
    return [sorted(ids) for ids in by_photo if len(ids) > 1]
