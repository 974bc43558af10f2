"""The pictures of a place in the API: upright, without metadata, of a bounded size."""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from place_search.indexer import UnknownPlaceError
from place_search.photos import (
    THUMBNAIL_QUALITY,
    THUMBNAIL_SIDE,
    Decoder,
    PhotoError,
    decode_photo,
    encode_jpeg,
    fit_within,
    read_photo,
)
from place_search.search.errors import PhotoGoneError

if TYPE_CHECKING:
    from place_search.indexer import Index, Place

LONGEST_SIDE = 1600
SHORTEST_SIDE = 64
"""The least size of a picture that a request may name, in pixels."""


def picture_tag(place: "Place", side: int) -> str:
    """The ETag of a place's photo at a size, which changes with the file.

    It is a hash: the time and the size of the file itself are no client's business.

    Raises:
        PhotoGoneError: the file is missing.
    """
    try:
        status = place.path.stat()
    except OSError:
        raise PhotoGoneError(
            f"The photo of place {place.place_id}, {place.name}, is no longer where it was "
            "indexed; its thumbnail still is."
        ) from None
    version = (str(place.path), status.st_mtime_ns, status.st_size, side)
    return f'"{hashlib.sha256(repr(version).encode()).hexdigest()[:24]}"'


def place_picture(place: "Place", side: int, decoder: Decoder | None = None) -> bytes:
    """A place's photo as a bare JPEG of at most `side` pixels a side, by a decoder if there is one.

    Raises:
        PhotoGoneError: the file is missing, or no photo any more. The message names no path.
    """
    try:
        if decoder is not None:
            return decoder.picture(read_photo(place.path), longest_side=side)
        photo = decode_photo(place.path, target_size=partial(fit_within, longest_side=side))
    except (PhotoError, OSError):
        raise PhotoGoneError(
            f"The photo of place {place.place_id}, {place.name}, can no longer be read; its "
            "thumbnail still can."
        ) from None
    return encode_jpeg(photo.pixels, fit_within(photo.width, photo.height, side))


def thumbnail_of(index: "Index", place_id: int, side: int) -> bytes:
    """The thumbnail of a place as a JPEG of at most `side` pixels a side.

    Raises:
        UnknownPlaceError: there is no such place.
    """
    jpeg = index.thumbnail(place_id)
    if side >= THUMBNAIL_SIDE:
        return jpeg
    photo = decode_photo(jpeg)
    size = fit_within(photo.width, photo.height, side)
    return encode_jpeg(photo.pixels, size, quality=THUMBNAIL_QUALITY)


def thumbnails_of(index: "Index", place_ids: Iterable[int], side: int) -> dict[int, bytes]:
    """The thumbnails of several places by their ids, as `thumbnail_of`, without unknown places."""
    thumbnails = {}
    for place_id in place_ids:
        with suppress(UnknownPlaceError):
            thumbnails[place_id] = thumbnail_of(index, place_id, side)
    return thumbnails


def pictures_form(pictures: Mapping[int, bytes]) -> tuple[bytes, str]:
    """A form with a JPEG for each place, named by its id, and the form's media type.

    A browser reads the form with `Response.formData()` (RFC 7578).
    """
    digest = hashlib.sha256()
    for jpeg in pictures.values():
        digest.update(jpeg)
    boundary = digest.hexdigest()  # as good as random, and the same for the same pictures
    form = b""
    for place_id, jpeg in pictures.items():
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{place_id}"; '
            f'filename="{place_id}.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        )
        form += head.encode() + jpeg + b"\r\n"
    return form + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
