"""Photo decoding: any supported file or bytes in, upright RGB pixels and the GPS position out."""

import io
import math
import struct
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from place_search.core.geodesy import Position
from place_search.photos.errors import (
    OversizedPhotoError,
    UnreadablePhotoError,
    UnsupportedPhotoError,
)

# Opener formats tried, by content. JPEG also covers MPO, the container that phones write.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "GIF", "PPM")
_NAMES = "jpg jpeg png webp avif heic heif tif tiff bmp gif ppm pgm"
EXTENSIONS = frozenset(f".{name}" for name in _NAMES.split())
UPLOADS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")
"""What a stranger may send: the formats that phones, cameras and browsers write."""
MAX_PIXELS = 50_000_000
STRIP_PIXELS = 1 << 20

Size: TypeAlias = tuple[int, int]
"""(width, height) in pixels."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo.

    `pixels` is (h, w, 3) uint8 RGB, upright and perhaps read-only, and may be smaller than the
    photo as sent, whose upright size is `width` × `height`. `notes` are sentences about what was
    odd but survivable.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    position: Position | None = None
    notes: tuple[str, ...] = ()


def decode_photo(
    source: Path | bytes,
    *,
    needed: Callable[[int, int], Size] | None = None,
    max_pixels: int = MAX_PIXELS,
    formats: Sequence[str] = FORMATS,
    before_pixels: Callable[[int, int], None] = lambda width, height: None,
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
    before_pixels: Callable[[int, int], None],
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
        exif = _read_exif(image, notes)
        turned = _orientation(exif) >= 5
        width, height = (image.height, image.width) if turned else image.size
        if needed is not None and image.format == "JPEG":
            target = needed(width, height)
            image.draft("RGB", (target[1], target[0]) if turned else target)
        before_pixels(*image.size)
        pixels = _to_rgb(image, notes)
        # libheif has already turned what it decodes, and its Exif says so no longer.
        orientation = _orientation(exif)
        position = _gps_position(exif, notes)
    # The closed image holds no pixels any more, so that turning does not need three copies.
    return Photo(_upright(pixels, orientation), width, height, position, tuple(notes))


_TURNS: Mapping[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels.transpose(1, 0, 2)[:, ::-1],
    7: lambda pixels: pixels.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda pixels: pixels.transpose(1, 0, 2)[::-1],
}


def _orientation(exif: Image.Exif | None) -> int:
    value = exif.get(ExifTags.Base.Orientation) if exif is not None else None
    return value if isinstance(value, int) and value in _TURNS else 1


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    turn = _TURNS.get(orientation)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def _read_exif(image: Image.Image, notes: list[str]) -> Image.Exif | None:
    try:
        exif = image.getexif()
        # Pillow reads an empty block where it cannot read a damaged one.
        if exif or not _lost_its_tags(image.info.get("exif", b"")):
            return exif
    except Exception:  # noqa: S110 - of many kinds; all mean what is said below
        pass
    notes.append("The photo's Exif data is broken and was left out.")
    return None


def _lost_its_tags(block: bytes) -> bool:
    """Whether an Exif block in which no tag could be read should have some."""
    tiff = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 10:
        return bool(tiff)
    (first,) = struct.unpack_from(f"{order}I", tiff, 4)
    return first + 2 > len(tiff) or any(tiff[first : first + 2])


def _to_rgb(image: Image.Image, notes: list[str]) -> NDArray[np.uint8]:
    """(h, w, 3) RGB from any mode: 16-bit is scaled, CMYK uses its profile, alpha lies on white.

    It goes strip by strip: a large photo is then in memory twice at most, not four times.
    """
    if getattr(image, "n_frames", 1) > 1:
        image.seek(0)
        if image.format in ("GIF", "WEBP", "PNG", "TIFF"):
            notes.append("The photo has several frames; the first one was used.")
    image.load()
    convert = _conversion(image, notes)
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width)
    if rows >= height:
        return np.asarray(convert(image), dtype=np.uint8)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = image.crop((0, top, width, bottom))
        pixels[top:bottom] = np.asarray(convert(strip), dtype=np.uint8)
    return pixels


def _conversion(
    image: Image.Image, notes: list[str]
) -> Callable[[Image.Image], NDArray[np.uint8] | Image.Image]:
    """What turns a strip of this image into (h, w, 3) RGB."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I"):
        return lambda strip: _grey(np.asarray(strip, dtype=np.float32) / 257.0)
    if image.mode == "F":
        greatest = image.getextrema()[1]
        unit = 255.0 if isinstance(greatest, float) and greatest <= 1.0 else 1.0
        return lambda strip: _grey(np.asarray(strip, dtype=np.float32) * unit)
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
            transform = ImageCms.buildTransform(
                profile, ImageCms.createProfile("sRGB"), "CMYK", "RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            notes.append("The photo's colour profile is broken and was left out.")
        else:
            return lambda strip: ImageCms.applyTransform(strip, transform) or strip.convert("RGB")
    if image.has_transparency_data:
        return _on_white
    if image.mode == "RGB":
        return lambda strip: strip
    return lambda strip: strip.convert("RGB")


def _grey(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    values = np.nan_to_num(values, posinf=255.0, neginf=0.0)
    grey = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _on_white(strip: Image.Image) -> Image.Image:
    with_alpha = strip.convert("RGBA")
    page = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(page, with_alpha).convert("RGB")


def _gps_position(exif: Image.Exif | None, notes: list[str]) -> Position | None:
    """The position in the Exif GPS block, or None where there is none or it makes no sense."""
    if exif is None:
        return None
    try:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        if ExifTags.GPS.GPSLatitude not in gps or ExifTags.GPS.GPSLongitude not in gps:
            return None
        latitude = _degrees(gps[ExifTags.GPS.GPSLatitude])
        longitude = _degrees(gps[ExifTags.GPS.GPSLongitude])
        if str(gps.get(ExifTags.GPS.GPSLatitudeRef, "N")).upper().startswith("S"):
            latitude = -latitude
        if str(gps.get(ExifTags.GPS.GPSLongitudeRef, "E")).upper().startswith("W"):
            longitude = -longitude
    except Exception:
        notes.append("The photo's GPS data is broken and was left out.")
        return None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180) or latitude == longitude == 0:
        notes.append("The photo's GPS position is out of range and was left out.")
        return None
    return Position(latitude, longitude)


def _degrees(value: Any) -> float:
    """Degrees from Exif's degrees, minutes, seconds (or from a bare number)."""
    parts = value if isinstance(value, tuple) else (value,)
    degrees = math.fsum(float(part) / 60.0**power for power, part in enumerate(parts[:3]))
    if not math.isfinite(degrees):
        raise ValueError("a GPS coordinate is not a number")
    return degrees


def read_position(path: Path) -> Position | None:
    """The GPS position in a photo's Exif, read from its header alone; None where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                return _gps_position(_read_exif(image, []), [])
    except Exception:  # a photo that cannot be opened has no position; decoding it says why
        return None


def fit_within(width: int, height: int, longest_side: int) -> Size:
    """The size of a photo that is shrunk until no side is longer than this."""
    scale = min(1.0, longest_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def encode_jpeg(pixels: NDArray[np.uint8], size: Size, *, quality: int = 85) -> bytes:
    """Resize (h, w, 3) uint8 RGB pixels and encode them as a bare JPEG."""
    # Several times faster than Pillow's resizing.
    resized = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    out = io.BytesIO()
    Image.fromarray(np.asarray(resized, np.uint8)).save(out, "JPEG", quality=quality)
    return out.getvalue()


pillow_heif.register_heif_opener()
