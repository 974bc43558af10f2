"""What a photo's metadata says: its Exif block, and the position where it was taken."""

import math
import struct
from typing import Any

from PIL import ExifTags, Image

from place_search.core.geodesy import Position


def read_exif(image: Image.Image, notes: list[str]) -> Image.Exif | None:
    """The Exif block, or None with a note where it is broken."""
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


def gps_position(exif: Image.Exif | None, notes: list[str]) -> Position | None:
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
