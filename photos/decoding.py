"""Photo decoding: any supported file or bytes in, upright RGB pixels and the GPS position out."""

import ctypes
import io
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pillow_heif
from PIL import Image, JpegImagePlugin, UnidentifiedImageError, _imaging

from place_search.core.errors import PlaceSearchError
from place_search.core.files import open_regular
from place_search.core.geodesy import Position
from place_search.core.text import printable
from place_search.photos.capture_time import CaptureTime, capture_time
from place_search.photos.errors import (
    OutOfMemoryError,
    OversizedPhotoError,
    UnreadablePhotoError,
    UnsupportedPhotoError,
)
from place_search.photos.formats import HEAD_BYTES, begins_like
from place_search.photos.photo import Photo, Size
from place_search.photos.pixels import orientation_of, to_rgb, turn_upright
from place_search.photos.positions import photo_position, read_exif

# Opener formats tried, by content. JPEG also covers MPO, the container that phones write.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "GIF", "PPM")
_NAMES = "jpg jpeg png webp avif heic heif tif tiff bmp gif ppm pgm"
EXTENSIONS = frozenset(f".{name}" for name in _NAMES.split())
UPLOADS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")
"""The formats of uploads: those that phones, cameras and browsers write."""
MAX_PIXELS = 50_000_000
# A JPEG may announce up to `MAX_SHRINKING` times the limit, if it is decoded at a smaller scale.
MAX_SHRINKING = 8
MAX_READ_BYTES = 64 << 20
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_BEYOND_PILLOW = (Image.DecompressionBombError, Image.DecompressionBombWarning)
"""Errors of Pillow's own limit: a program may have turned the warning into an error."""


def decode_photo(
    source: Path | bytes,
    *,
    target_size: Callable[[int, int], Size] | None = None,
    max_pixels: int = MAX_PIXELS,
    formats: Sequence[str] = FORMATS,
    before_pixels: Callable[[int, int], None] | None = None,
) -> Photo:
    """Decode a photo from a path or from its bytes.

    `target_size` maps the upright size of the photo to the size that the caller shrinks it to; a
    JPEG is then decoded at the smallest power-of-two scale that is not below, which is several
    times faster for a large photo. By default every pixel is decoded. `before_pixels` is called
    with the size to decode, once the header is read; it may wait.

    Raises:
        UnsupportedPhotoError: the content is in no format of `formats`.
        OversizedPhotoError: more than `max_pixels` pixels would be decoded, the header announces
            far more, or memory does not suffice to decode them.
        UnreadablePhotoError: the photo is missing, truncated or corrupt.
    """
    name = "the photo" if isinstance(source, bytes) else f"{source}"
    try:
        with _stream(source) as stream:
            decode = partial(
                _decode,
                name=name,
                target_size=target_size,
                max_pixels=max_pixels,
                formats=formats,
                before_pixels=before_pixels,
            )
            try:
                return decode(stream)
            except OSError as error:
                if "truncated" not in str(error):
                    raise
                stream.seek(0)
                photo = _decode_without_end(stream.read(), decode)
                if photo is None:
                    raise
                return photo
    except PlaceSearchError:  # also those of `before_pixels`
        raise
    except FileNotFoundError:
        raise UnreadablePhotoError(f"{name} does not exist; check the path.") from None
    except IsADirectoryError:
        raise UnreadablePhotoError(f"{name} is a folder, not a photo; name one photo.") from None
    except PermissionError:
        raise UnreadablePhotoError(f"{name} may not be read; check its permissions.") from None
    except MemoryError:
        raise _out_of_memory(name) from None
    except _BEYOND_PILLOW:
        raise OversizedPhotoError(
            f"{name} announces far more pixels than the limit of {max_pixels:,}; shrink it first."
        ) from None
    except Exception as error:
        # Pillow's decoders raise SyntaxError, ValueError, TypeError, struct.error and more on
        # malformed files, which callers need not distinguish.
        if isinstance(error, OSError) and error.strerror:  # not a decoder's
            raise UnreadablePhotoError(
                f"{name} cannot be read: {error.strerror}; name a photo."
            ) from None
        if "memory" in str(error).lower():  # an error of libheif or libavif
            raise _out_of_memory(name) from None
        reason = printable(str(error).strip().partition(" (")[0])[:100].rstrip(".")
        raise UnreadablePhotoError(
            f"{name} is truncated or corrupt ({reason or 'no more is known'}); use the original "
            "file."
        ) from error


def _out_of_memory(name: str) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"{name} needs more memory to decode than there is for it; shrink it first."
    )


def _stream(source: Path | bytes) -> BinaryIO:
    """A photo's bytes. Pillow maps files that it opens by name, and dies where they shrink."""
    return io.BytesIO(source) if isinstance(source, bytes) else open_regular(source)


def _decode(
    stream: BinaryIO,
    name: str,
    target_size: Callable[[int, int], Size] | None,
    max_pixels: int,
    formats: Sequence[str],
    before_pixels: Callable[[int, int], None] | None,
) -> Photo:
    with open_header(stream, name, formats) as image:
        notes: list[str] = []
        stored = image.size
        scaled = target_size is not None and image.format == "JPEG"
        _check_size(name, stored, max_pixels * (MAX_SHRINKING if scaled else 1))
        # Reading the Exif of a PNG decodes its pixels.
        exif = None if image.format == "PNG" else read_exif(image, notes)
        if target_size is not None and scaled:
            turned = orientation_of(exif) >= 5
            target = target_size(*(stored[::-1] if turned else stored))
            image.draft("RGB", target[::-1] if turned else target)
        # A progressive JPEG is in memory at full size, whatever its scale.
        _check_size(name, stored if "progressive" in image.info else image.size, max_pixels)
        if before_pixels is not None:
            before_pixels(*image.size)
        pixels = to_rgb(image, notes)
        if image.format == "PNG":
            exif = read_exif(image, notes)
        # libheif and libtiff turn photos upright, and remove the orientation from their Exif.
        orientation = orientation_of(exif)
        position = photo_position(image, exif, notes)
    width, height = stored[::-1] if orientation >= 5 else stored
    # The image is closed, which frees its pixels: turning does not need three copies.
    upright = turn_upright(pixels, orientation)
    taken = capture_time(exif)
    seconds = None if taken is None else taken.seconds
    return Photo(upright, width, height, position, tuple(notes), seconds)


def open_header(stream: BinaryIO, name: str, formats: Sequence[str] = FORMATS) -> Image.Image:
    """Open a photo of any size, whose pixels are not decoded yet.

    Raises:
        UnsupportedPhotoError: the content is in no format of `formats`.
        SyntaxError: only the first bytes are those of a photo.
    """
    try:
        return Image.open(stream, formats=tuple(formats))
    except UnidentifiedImageError:
        stream.seek(0)
        if begins_like(stream.read(HEAD_BYTES), formats):
            raise SyntaxError("only its beginning is of a photo") from None  # as Pillow says it
        raise UnsupportedPhotoError(
            f"{name} is not a photo in a supported format; use JPEG, PNG, WebP, AVIF or HEIF."
        ) from None
    except _BEYOND_PILLOW:
        # Pillow's own limit knows neither scaled decoding nor the user's limit.
        return _open_any_size(stream, formats)


def _open_any_size(stream: BinaryIO, formats: Sequence[str]) -> Image.Image:
    """Open a photo in one of `formats`, whose size Pillow has refused."""
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    for name in formats:
        opener, accepts = Image.OPEN[name]
        # A text in place of True says why the format cannot be read.
        if accepts is not None and accepts(head) is not True:
            continue
        stream.seek(0)
        with suppress(SyntaxError):
            return JpegImagePlugin.JpegImageFile(stream) if name == "JPEG" else opener(stream, "")
    raise Image.DecompressionBombError


def _check_size(name: str, size: Size, max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise OversizedPhotoError(
            f"{name} has {size[0]} × {size[1]} pixels, over the limit of {max_pixels:,}; shrink "
            "it first."
        )


def _decode_without_end(content: bytes, decode: Callable[[BinaryIO], Photo]) -> Photo | None:
    """Decode a JPEG that lacks only its end marker; None for others, or where pixels are missing.

    Bytes after the last pixel change nothing; where pixels are missing, these bytes become pixels.
    """
    if not content.startswith(_JPEG_START):
        return None
    content = content.removesuffix(_JPEG_END[:1])
    first = decode(io.BytesIO(content + _JPEG_END))
    padded = decode(io.BytesIO(content + b"\x5a" * 64 + _JPEG_END))
    return first if np.array_equal(first.pixels, padded.pixels) else None


def read_photo(path: Path) -> bytes:
    """The bytes of a photo's file.

    Raises:
        OSError: the file cannot be read, or is no regular file.
        OversizedPhotoError: the file has more than `MAX_READ_BYTES` bytes.
    """
    with open_regular(path) as stream:
        if os.fstat(stream.fileno()).st_size > MAX_READ_BYTES:
            raise OversizedPhotoError(
                f"{path} is over {MAX_READ_BYTES >> 20} MB; save it in a smaller format."
            )
        return stream.read()


def read_position(path: Path) -> Position | None:
    """The GPS position in a photo's metadata, read from its header alone; None without one."""
    return inspect_position(path)[0]


def inspect_position(path: Path) -> tuple[Position | None, tuple[str, ...]]:
    """The GPS position in a photo's header, and notes on its faults."""
    position, _, notes = _inspect(path)
    return position, notes


def read_clock(path: Path) -> CaptureTime | None:
    """The capture time of a photo by its header, None where unknown."""
    return _inspect(path)[1]


def read_capture_time(path: Path) -> float | None:
    """The capture time of a photo by its header, in seconds since 1970; None where unknown.

    A time without a zone is taken for UTC.
    """
    taken = read_clock(path)
    return None if taken is None else taken.seconds


def _inspect(path: Path) -> tuple[Position | None, CaptureTime | None, tuple[str, ...]]:
    """Position, capture time and notes from a photo's header."""
    notes: list[str] = []
    try:
        with open_regular(path) as stream, open_header(stream, f"{path}") as image:
            # A PNG whose Exif block does not come first decodes its pixels to find one.
            may_have_late_exif = image.format == "PNG" and "exif" not in image.info
            is_large = image.width * image.height > MAX_PIXELS
            exif = None if may_have_late_exif and is_large else read_exif(image, notes)
            return photo_position(image, exif, notes), capture_time(exif), tuple(notes)
    except Exception:  # decoding the photo reports the error
        return None, None, ()


def _silence_libtiff() -> None:
    """Keep libtiff from writing to the terminal; it returns its errors too."""
    try:
        # Pillow's extension gives the libtiff that it is linked to, whatever its name.
        libtiff = ctypes.CDLL(_imaging.__file__)
        libtiff.TIFFSetWarningHandler(None)
        libtiff.TIFFSetErrorHandler(None)
    except (OSError, AttributeError):  # Pillow was built without it, or hides it
        return


pillow_heif.register_heif_opener()
_silence_libtiff()
# Pillow warns of odd metadata, which notes report, and of sizes, which `max_pixels` limits. Filters
# are set once for the process, as threads cannot have their own.
warnings.filterwarnings("ignore", module=r"PIL\.")
