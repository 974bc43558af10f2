"""A file or bytes → an upright RGB photo, and what it says of where it was taken."""

from place_search.photos.decoding import (
    EXTENSIONS,
    MAX_PIXELS,
    UPLOADS,
    decode_photo,
    inspect_position,
    read_photo,
    read_position,
)
from place_search.photos.errors import (
    OversizedPhotoError,
    PhotoError,
    UnreadablePhotoError,
    UnsupportedPhotoError,
)
from place_search.photos.photo import Photo, Size, encode_jpeg, fit_within
from place_search.photos.preprocessing import Preprocessing, resize_photo
from place_search.photos.sandbox.decoder import (
    DecodeLimits,
    Decoder,
    DecoderBusyError,
    DecoderError,
)

__all__ = [
    "EXTENSIONS",
    "MAX_PIXELS",
    "UPLOADS",
    "DecodeLimits",
    "Decoder",
    "DecoderBusyError",
    "DecoderError",
    "OversizedPhotoError",
    "Photo",
    "PhotoError",
    "Preprocessing",
    "Size",
    "UnreadablePhotoError",
    "UnsupportedPhotoError",
    "decode_photo",
    "encode_jpeg",
    "fit_within",
    "inspect_position",
    "read_photo",
    "read_position",
    "resize_photo",
]
