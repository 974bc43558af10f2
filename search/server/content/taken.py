"""What a server keeps of photos that are added: each as it is, a panorama as its views."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from place_search.core.geodesy import Position
from place_search.indexer import Place
from place_search.photos import Photo
from place_search.photos.photo import Facing


class TakenPhoto(NamedTuple):
    """What is kept of a photo: the file's name, its JPEG, and what is said of it.

    `original` is the sha256 of the photo as it was sent.
    """

    original: bytes
    file: str
    jpeg: bytes
    position: Position | None
    taken: float | None
    name: str
    heading: float | None


def taken_photo(
    name: str, original: bytes, seen: Photo, facing: Facing | None, jpeg: bytes
) -> TakenPhoto:
    """What is kept of a photo as this JPEG, or of the view of a panorama that is `facing` so."""
    file = f"{hashlib.sha256(jpeg).hexdigest()[:32]}.jpg"
    if facing is None:
        return TakenPhoto(original, file, jpeg, seen.position, seen.taken, name, None)
    named = f"{name or file}#{facing}"
    return TakenPhoto(original, file, jpeg, seen.position, seen.taken, named, facing.heading)


def panoramas_of(
    sent: Sequence[Sequence[TakenPhoto]], places: Mapping[str, Place]
) -> list[list[int]]:
    """The ids of the places of each panorama, of what is kept of photos; `places` by their files.

    A panorama that has one place only is none.
    """
    views = [{places[one.file].place_id for one in parts if one.file in places} for parts in sent]
    return [sorted(ids) for ids in views if len(ids) > 1]
