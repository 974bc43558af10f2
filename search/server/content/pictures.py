"""A place's photo as the API shows it: upright, without metadata, of a bounded size."""

from functools import partial
from typing import TYPE_CHECKING

from place_search.photos import (
    Decoder,
    PhotoError,
    decode_photo,
    encode_jpeg,
    fit_within,
    read_photo,
)
from place_search.search.errors import PhotoGoneError

if TYPE_CHECKING:
    from place_search.indexer import Place

LONGEST_SIDE = 1600


def picture_tag(place: "Place") -> str:
    """The ETag of a place's photo, which changes with the file.

    Raises:
        PhotoGoneError: the file is not there.
    """
    try:
        status = place.path.stat()
    except OSError:
        raise PhotoGoneError(
            f"The photo of place {place.place_id}, {place.name}, is no longer where it was "
            "indexed; its thumbnail still is."
        ) from None
    return f'"{place.place_id}-{status.st_mtime_ns:x}-{status.st_size:x}"'


def place_picture(place: "Place", decoder: Decoder | None = None) -> bytes:
    """A place's photo as a bare JPEG of at most 1600 pixels a side, from a decoder if there is one.

    Raises:
        PhotoGoneError: the file is not there or no photo any more. The message names no path.
    """
    try:
        if decoder is not None:
            return decoder.picture(read_photo(place.path), longest_side=LONGEST_SIDE)
        photo = decode_photo(place.path, needed=partial(fit_within, longest_side=LONGEST_SIDE))
    except (PhotoError, OSError):
        raise PhotoGoneError(
            f"The photo of place {place.place_id}, {place.name}, can no longer be read; its "
            "thumbnail still can."
        ) from None
    return encode_jpeg(photo.pixels, fit_within(photo.width, photo.height, LONGEST_SIDE))
