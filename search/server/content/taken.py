"""What a server keeps of photos that are added: each as it is, a panorama as its views."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import NamedTuple

from place_search.core.geodesy import Position
from place_search.indexer import Groups, Place
from place_search.photos import Photo
from place_search.photos.photo import Facing
from place_search.search.groups.by_hand import GroupEdit


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


class ViewGroups(NamedTuple):
    """The groups to make of new places that are views of one panorama."""

    edits: Sequence[GroupEdit]

    @classmethod
    def of(cls, sent: Sequence[Sequence[TakenPhoto]], new: Mapping[str, Place]) -> "ViewGroups":
        """Those of photos by what is kept of each; `new` places by their files."""
        places = [
            sorted({new[one.file].place_id for one in parts if one.file in new}) for parts in sent
        ]
        return cls([GroupEdit(ids[0], add=ids[1:]) for ids in places if len(ids) > 1])

    def changed(self, groups: Groups) -> Groups:
        """The groups with these."""
        return reduce(lambda now, edit: edit.changed(now), self.edits, groups)
