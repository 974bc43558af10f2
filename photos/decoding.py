"""Photo decoding: any supported file or bytes in, upright RGB pixels and the GPS position out."""

import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import pillow_heif
from PIL import Image, UnidentifiedImageError

from place_search.core.geodesy import Position
from place_search.photos.errors import (
    OversizedPhotoError,
    UnreadablePhotoError,
    UnsupportedPhotoError,
)
from place_search.photos.photo import Photo, Size
from place_search.photos.pixels import orientation_of, to_rgb, turn_upright
from place_search.photos.positions import gps_position, read_exif

# Opener formats tried, by content. JPEG also covers MPO, the container that phones write.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "GIF", "PPM")
_NAMES = "jpg jpeg png webp avif heic heif tif tiff bmp gif ppm pgm"
EXTENSIONS = frozenset(f".{name}" for name in _NAMES.split())
UPLOADS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")
"""What a stranger may send: the formats that phones, cameras and browsers write."""
MAX_PIXELS = 50_000_000


def decode_photo(
    source: Path | bytes,
    *,
    needed: Callable[[int, int], Size] | None = None,
    max_pixels: int = MAX_PIXELS,
    formats: Sequence[str] = FORMATS,
    before_pixels: Callable[[int, int], None] | None = None,
) -> Photo:
    """Decode a photo from a path or from its bytes.

    `needed` maps the upright size of the photo to the size the caller will shrink it to; a JPEG
    is then decoded at the smallest power-of-two scale that is not below that, which is several
    times faster for a large one. Without it every pixel is decoded. `before_pixels` is called with
    the size that will be decoded, once the header is read; it may wait.

    Raises:
        UnsupportedPhotoError: the content is in no format of `formats`.
        OversizedPhotoError: the header announces more than `max_pixels` pixels, or there is not
            the memory to decode them.
        UnreadablePhotoError: the photo is missing, truncated or corrupt.
    """
    what = "the photo" if isinstance(source, bytes) else f"{source}"
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata and of sizes that max_pixels already judges.
            warnings.simplefilter("ignore")
            return _decode(source, what, needed, max_pixels, formats, before_pixels)
    except (UnsupportedPhotoError, OversizedPhotoError, UnreadablePhotoError):
        raise
    except FileNotFoundError:
        raise UnreadablePhotoError(f"{what} does not exist; check the path.") from None
    except IsADirectoryError:
        raise UnreadablePhotoError(f"{what} is a folder, not a photo; name one photo.") from None
    except PermissionError:
        raise UnreadablePhotoError(f"{what} may not be read; check its permissions.") from None
    except MemoryError:
        raise OversizedPhotoError(
            f"{what} needs more memory to decode than there is for it; shrink it first."
        ) from None
    except Image.DecompressionBombError:
        raise OversizedPhotoError(
            f"{what} announces far more pixels than the limit of {max_pixels:,}; shrink it first."
        ) from None
    except Exception as error:
        # Pillow's decoders raise SyntaxError, ValueError, TypeError, struct.error and more on
        # malformed files; to a caller they all mean the same.
        raise UnreadablePhotoError(
            f"{what} is truncated or corrupt ({type(error).__name__}); use the original file."
        ) from error


def _decode(
    source: Path | bytes,
    what: str,
    needed: Callable[[int, int], Size] | None,
    max_pixels: int,
    formats: Sequence[str],
    before_pixels: Callable[[int, int], None] | None,
) -> Photo:
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        image: Image.Image = Image.open(stream, formats=tuple(formats))
    except UnidentifiedImageError:
        raise UnsupportedPhotoError(
            f"{what} is not a photo in a supported format; use JPEG, PNG, WebP, AVIF or HEIF."
        ) from None
    with image:
        if image.width * image.height > max_pixels:
            raise OversizedPhotoError(
                f"{what} has {image.width} × {image.height} pixels, over the limit of "
                f"{max_pixels:,}; shrink it first."
            )
        notes: list[str] = []
        exif = read_exif(image, notes)
        turned = orientation_of(exif) >= 5
        width, height = (image.height, image.width) if turned else image.size
        if needed is not None and image.format == "JPEG":
            target = needed(width, height)
            image.draft("RGB", (target[1], target[0]) if turned else target)
        if before_pixels is not None:
            before_pixels(*image.size)
        pixels = to_rgb(image, notes)
        # libheif has already turned what it decodes, and its Exif says so no longer.
        orientation = orientation_of(exif)
        position = gps_position(exif, notes)
    # The closed image holds no pixels any more, so that turning does not need three copies.
    return Photo(turn_upright(pixels, orientation), width, height, position, tuple(notes))


def read_position(path: Path) -> Position | None:
    """The GPS position in a photo's Exif, read from its header alone; None where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                return gps_position(read_exif(image, []), [])
    except Exception:  # a photo that cannot be opened has no position; decoding it says why
        return None


pillow_heif.register_heif_opener()
