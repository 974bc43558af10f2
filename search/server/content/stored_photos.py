"""The photos that a server stores for added places: plain photos, and the views of panoramas."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from place_search.core.geodesy import Position
from place_search.core.text import is_shown
from place_search.indexer import Place
from place_search.photos import UPLOADS, Decoder, Preprocessing, UnreadablePhotoError
from place_search.photos.photo import Facing
from place_search.search.reasons import REASONS
from place_search.search.server.content.archives import SentPhoto

LONGEST_SIDE = 2048
LONGEST_NAME = 200
SAME_DEGREES = 1e-6
"""The difference of latitudes or longitudes of one position, a tenth of a metre."""


class StoredPhoto(NamedTuple):
    """A photo to store: the file's name, its JPEG, and its position, time, name and heading.

    `original` is the sha256 of the photo as it was sent, and `notes` say what was odd in that.
    """

    original: bytes
    file: str
    jpeg: bytes
    position: Position | None
    taken: float | None
    name: str
    heading: float | None
    notes: tuple[str, ...]

    def notes_beside(self, place: Place, position: Position | None, name: str) -> list[str]:
        """The notes of a photo that was there as `place`, which keeps its position and name.

        They say so where others are given.
        """
        is_there = position is None or (
            place.position is not None
            and abs(position.latitude - place.position.latitude) < SAME_DEGREES
            and abs(position.longitude - place.position.longitude) < SAME_DEGREES
        )
        is_called_so = not name or place.name == self.name
        return [*self.notes, *([] if is_there and is_called_so else [REASONS["place-kept"]])]


def stored_photos(
    photo: SentPhoto, decoder: Decoder, preprocessing: Preprocessing, panorama: bool | None
) -> list[StoredPhoto]:
    """A photo to store, or the views of a 360° `panorama`, which is as in a search.

    Raises:
        PhotoError: the photo cannot be read.
    """
    file, content, problem = photo
    if problem:
        raise UnreadablePhotoError(problem)
    seen = decoder.photo(content, preprocessing, formats=UPLOADS)
    pictures: list[tuple[Facing | None, bytes]] = []
    notes = seen.notes
    if panorama is not False:
        views, of_panorama = decoder.views(content, formats=UPLOADS, assumed=panorama is True)
        pictures += views
        notes = tuple(dict.fromkeys((*notes, *of_panorama)))
    if not pictures:
        pictures.append((None, decoder.picture(content, longest_side=LONGEST_SIDE)))
    name = file if is_shown(file) and len(file) <= LONGEST_NAME else ""
    original = hashlib.sha256(content).digest()
    stored = []
    for facing, jpeg in pictures:
        kept = f"{hashlib.sha256(jpeg).hexdigest()[:32]}.jpg"
        called = name if facing is None else f"{name or kept}#{facing}"
        heading = None if facing is None else facing.heading
        stored.append(
            StoredPhoto(original, kept, jpeg, seen.position, seen.taken, called, heading, notes)
        )
    return stored


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
