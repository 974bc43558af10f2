"""Photo decoding: any supported file or bytes in, upright RGB pixels and the GPS position out."""

import io
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from netvlad.errors import OversizedPhotoError, UnreadablePhotoError, UnsupportedPhotoError

# Opener formats tried, by content. JPEG also covers MPO, the container that phones write.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "GIF", "PPM")
_NAMES = "jpg jpeg png webp avif heic heif tif tiff bmp gif ppm pgm"
EXTENSIONS = frozenset(f".{name}" for name in _NAMES.split())
MAX_PIXELS = 50_000_000

Size: TypeAlias = tuple[int, int]
"""(width, height) in pixels."""


class Position(NamedTuple):
    """A point on the WGS 84 ellipsoid, in degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo.

    `pixels` is (h, w, 3) uint8 RGB, upright, and may be smaller than the photo as sent, whose
    upright size is `width` × `height`. `notes` are sentences about what was odd but survivable.
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
) -> Photo:
    """Decode a photo from a path or from its bytes.

    `needed` maps the upright size of the photo to the size the caller will shrink it to; a JPEG
    is then decoded at the smallest power-of-two scale that is not below that, which is several
    times faster for a large one. Without it every pixel is decoded.

    Raises:
        UnsupportedPhotoError: the content is in no format of `FORMATS`.
        OversizedPhotoError: the header announces more than `max_pixels` pixels.
        UnreadablePhotoError: the photo is missing, truncated or corrupt.
    """
    what = "the photo" if isinstance(source, bytes) else f"{source}"
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata and of sizes that max_pixels already judges.
            warnings.simplefilter("ignore")
            return _decode(source, what, needed, max_pixels)
    except (UnsupportedPhotoError, OversizedPhotoError, UnreadablePhotoError):
        raise
    except FileNotFoundError:
        raise UnreadablePhotoError(f"{what} does not exist; check the path.") from None
    except IsADirectoryError:
        raise UnreadablePhotoError(f"{what} is a folder, not a photo; name one photo.") from None
    except PermissionError:
        raise UnreadablePhotoError(f"{what} may not be read; check its permissions.") from None
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
) -> Photo:
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        image: Image.Image = Image.open(stream, formats=FORMATS)
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
        rgb = _to_rgb(image, notes)
        # libheif has already turned what it decodes, and its Exif says so no longer.
        rgb = _upright(rgb, _orientation(exif))
        return Photo(
            pixels=np.asarray(rgb, dtype=np.uint8),
            width=width,
            height=height,
            position=_gps_position(exif, notes),
            notes=tuple(notes),
        )


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(exif: Image.Exif | None) -> int:
    value = exif.get(ExifTags.Base.Orientation) if exif is not None else None
    return value if isinstance(value, int) and value in _TURNS else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _read_exif(image: Image.Image, notes: list[str]) -> Image.Exif | None:
    try:
        return image.getexif()
    except Exception:
        notes.append("The photo's Exif data is broken and was left out.")
        return None


def _to_rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """RGB pixels from any mode: 16-bit is scaled, CMYK uses its profile, alpha lies on white."""
    if getattr(image, "n_frames", 1) > 1:
        image.seek(0)
        if image.format in ("GIF", "WEBP", "PNG", "TIFF"):
            notes.append("The photo has several frames; the first one was used.")
    image.load()
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        grey = np.asarray(image, dtype=np.float32) / 257.0
        return Image.fromarray(np.clip(grey + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        grey = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=255.0, neginf=0.0)
        grey = grey * 255.0 if grey.size and grey.max() <= 1.0 else grey
        return Image.fromarray(np.clip(grey + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
            converted = ImageCms.profileToProfile(
                image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            notes.append("The photo's colour profile is broken and was left out.")
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        page = Image.new("RGBA", with_alpha.size, "white")
        return Image.alpha_composite(page, with_alpha).convert("RGB")
    return image.convert("RGB")


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


def encode_jpeg(pixels: NDArray[np.uint8], *, longest_side: int, quality: int = 85) -> bytes:
    """Shrink (h, w, 3) uint8 RGB pixels to fit `longest_side` and encode them as a bare JPEG."""
    image = Image.fromarray(pixels)
    image.thumbnail((longest_side, longest_side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


pillow_heif.register_heif_opener()
