"""Pixels of any mode → upright RGB."""

import io
import sys
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageFile

STRIP_PIXELS = 1 << 20
WHITE_BITS = (8, 10, 12, 14, 16)
_NOT_NATIVE = "B" if sys.byteorder == "little" else "L"
_OTHER_ORDER = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA")
    for order, other in (("B", "L"), ("L", "B"), ("N", _NOT_NATIVE))
}
"""Pillow's names of byte orders of 16-bit RGB and RGBA, each with the opposite order."""
_GREY_ALPHA = "LA;16B"
"""16-bit grey with alpha, as PNG has it; its four bytes a pixel can be read as RGBA of 8 bits."""
_OTHER_ORDER[_GREY_ALPHA] = "RGBA"


def orientation_of(exif: Image.Exif | None) -> int:
    """Exif's orientation, 1 to 8; 1, upright, where it is missing."""
    value = exif.get(ExifTags.Base.Orientation) if exif is not None else None
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn (h, w, 3) pixels by Exif's orientation: a transposition from 5 on, then mirrors."""
    if orientation == 1:
        return pixels
    turned = pixels.transpose(1, 0, 2) if orientation >= 5 else pixels
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def to_rgb(image: Image.Image, notes: list[str]) -> NDArray[np.uint8]:
    """(h, w, 3) RGB from any mode: 16-bit is scaled, CMYK uses its profile, alpha lies on white.

    Photos are converted strip by strip: a large photo is in memory twice at most, not four times.
    """
    if image.format in ("GIF", "WEBP", "PNG", "TIFF") and getattr(image, "n_frames", 1) > 1:
        notes.append("The photo has several frames; the first one was used.")
    stored = _deep_rgb(image)
    image.load()
    if stored is not None and np.max(image.getextrema()[:3]) < 64:
        return _brighten(image, stored)
    conversion = _conversion(image, notes)
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width)
    if rows >= height:
        return np.asarray(conversion.apply(image), dtype=np.uint8)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = image.crop((0, top, width, bottom))
        pixels[top:bottom] = np.asarray(conversion.apply(strip), dtype=np.uint8)
    return pixels


@dataclass(frozen=True, slots=True)
class _Conversion:
    """The conversion of strips of an image to RGB.

    Grey values of more than 8 bits are multiplied by `grey_scale`; inks of a known profile go
    through `profile`; a `transparent` image lies on white.
    """

    grey_scale: float | None = None
    profile: ImageCms.ImageCmsTransform | None = None
    transparent: bool = False

    def apply(self, strip: Image.Image) -> NDArray[np.uint8] | Image.Image:
        """A strip as (h, w, 3) RGB."""
        if self.grey_scale is not None:
            with np.errstate(over="ignore"):  # infinite values become white
                return _grey(np.asarray(strip, dtype=np.float32) * self.grey_scale)
        if self.profile is not None:
            return ImageCms.applyTransform(strip, self.profile) or strip.convert("RGB")
        if self.transparent:
            return _on_white(strip)
        return strip if strip.mode == "RGB" else strip.convert("RGB")


def _conversion(image: Image.Image, notes: list[str]) -> _Conversion:
    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I", "F"):
        return _Conversion(grey_scale=255 / _white_level(image))
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
            return _Conversion(
                profile=ImageCms.buildTransform(
                    profile, ImageCms.createProfile("sRGB"), "CMYK", "RGB"
                )
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            notes.append("The photo's colour profile is broken and was left out.")
    return _Conversion(transparent=image.has_transparency_data)


def _white_level(image: Image.Image) -> float:
    """The grey value of white: files do not say how many of their bits are used.

    It is the greatest value of the fewest bits that hold all values, or the greatest of all
    values where these are far below, as some float images are.
    """
    values = np.asarray(image)
    greatest = float(np.max(values, where=np.isfinite(values), initial=0))
    levels = [2**bits - 1.0 for bits in (1, *WHITE_BITS) if bits > 1 or image.mode == "F"]
    level = next((level for level in levels if greatest <= level), greatest)
    return level if greatest >= level / 16 else max(greatest, 1e-12)


def _deep_rgb(image: Image.Image) -> IO[bytes] | None:
    """The open file of 16-bit pixels, of which Pillow keeps only the high bytes, or None."""
    if not isinstance(image, ImageFile.ImageFile) or image.format not in ("PNG", "TIFF"):
        return None
    deep = bool(image.tile) and all(_order_of(tile) in _OTHER_ORDER for tile in image.tile)
    return image.fp if deep else None


def _order_of(tile: Any) -> str:
    """The byte order of a tile: the argument of PNG tiles, the first argument of TIFF tiles."""
    return str(tile.args if isinstance(tile.args, str) else tile.args[0])


def _other_order(tile: Any) -> Any:
    """A tile that is read with the opposite byte order."""
    opposite = _OTHER_ORDER[_order_of(tile)]
    return tile._replace(
        args=opposite if isinstance(tile.args, str) else (opposite, *tile.args[1:])
    )


def _brighten(high: Image.Image, stored: IO[bytes]) -> NDArray[np.uint8]:
    """(h, w, 3) RGB of 16-bit colours that use 14 bits at most, from their high bytes and the file.

    RGBA, whose alpha may use other bits, lies on white. The low bytes come from a second decoding,
    as if the file had the other byte order.
    """
    stored.seek(0)
    with Image.open(stored, formats=("PNG", "TIFF")) as low:
        grey = _order_of(low.tile[0]) == _GREY_ALPHA
        low.tile = [_other_order(tile) for tile in low.tile]
        low.load()
    pixels = np.asarray(high).astype(np.uint16)
    pixels <<= 8
    pixels |= np.asarray(low)[..., [1, 1, 1, 3]] if grey else np.asarray(low)
    greatest = pixels.reshape(-1, pixels.shape[2]).max(axis=0)
    greatest[:3] = greatest[:3].max()
    whites = [
        next(2**bits - 1 for bits in WHITE_BITS if greatest_value < 2**bits)
        for greatest_value in greatest.tolist()
    ]
    scale = 255 / np.array(whites, np.float32)
    brightened = np.empty((*pixels.shape[:2], 3), np.uint8)
    for row, values in enumerate(pixels):
        scaled = values * scale
        if len(whites) == 4:
            scaled = 255 - (255 - scaled[:, :3]) * (scaled[:, 3:] / 255)
        brightened[row] = scaled + np.float32(0.5)
    return brightened


def _grey(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    values = np.nan_to_num(values, posinf=255.0, neginf=0.0)
    grey = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _on_white(strip: Image.Image) -> Image.Image:
    with_alpha = strip.convert("RGBA")
    page = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(page, with_alpha).convert("RGB")
