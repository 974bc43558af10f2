"""A file or bytes → an upright RGB photo, with the position and time of its metadata."""

from place_search.photos.box import PhotoBox, box_of, parse_box
from place_search.photos.decoding import (
    EXTENSIONS,
    UPLOADS,
    decode_photo,
    read_capture_time,
    read_clock,
    read_photo,
    read_position,
)
from place_search.photos.errors import (
    BoxError,
    OversizedPhotoError,
    PhotoError,
    UnreadablePhotoError,
    UnsupportedPhotoError,
)
from place_search.photos.photo import (
    THUMBNAIL_QUALITY,
    THUMBNAIL_SIDE,
    Photo,
    encode_jpeg,
    fit_within,
)
from place_search.photos.preprocessing import Preprocessing
from place_search.photos.sandbox.decoder import DecodeLimits, Decoder

__all__ = [
    "EXTENSIONS",
    "THUMBNAIL_QUALITY",
    "THUMBNAIL_SIDE",
    "UPLOADS",
    "BoxError",
    "DecodeLimits",
    "Decoder",
    "OversizedPhotoError",
    "Photo",
    "PhotoBox",
    "PhotoError",
    "Preprocessing",
    "UnreadablePhotoError",
    "UnsupportedPhotoError",
    "box_of",
    "decode_photo",
    "encode_jpeg",
    "fit_within",
    "parse_box",
    "read_capture_time",
    "read_clock",
    "read_photo",
    "read_position",
]
