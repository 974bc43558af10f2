"""A photo's metadata: its Exif block, and the position where it was taken."""

import math
import re
import struct
from typing import Any

from PIL import ExifTags, Image

from place_search.core.geodesy import Position, is_null_island, is_on_earth

# An attribute or an element; degrees and minutes, or degrees, minutes and seconds.
_XMP_COORDINATE = re.compile(
    rb"""exif:GPS(Latitude|Longitude)\s*(?:=\s*["']|>)\s*([^\s"'<>]{1,40})\s*["'<]"""
)
_NUMBER = r"(\d+(?:\.\d*)?)"
_XMP_DEGREES = re.compile(rf"([+-]?\d+(?:\.\d*)?)(?:,{_NUMBER})?(?:,{_NUMBER})?\s*([NSEWnsew])?")


def read_exif(image: Image.Image, notes: list[str]) -> Image.Exif | None:
    """The Exif block; None, with a note, where it is broken."""
    try:
        exif = image.getexif()
        # Pillow reads an empty block where it cannot read a damaged one.
        if exif or not _has_lost_tags(image.info.get("exif") or b""):
            return exif
    except MemoryError:
        raise
    except Exception:  # noqa: S110 - many kinds of errors, all noted below
        pass
    notes.append("The photo's Exif data is broken and was left out.")
    return None


def _has_lost_tags(block: bytes) -> bool:
    """Whether an Exif block without readable tags should have tags."""
    tiff = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 10:
        return bool(tiff)
    (first,) = struct.unpack_from(f"{order}I", tiff, 4)
    return first + 2 > len(tiff) or any(tiff[first : first + 2])


def photo_position(
    image: Image.Image, exif: Image.Exif | None, notes: list[str]
) -> Position | None:
    """The position in a photo's Exif, else in its XMP; None where neither gives one."""
    doubts: list[str] = []
    position = _exif_position(exif, image.info.get("exif"), doubts) or _xmp_position(image, doubts)
    if position is None:
        notes += doubts[:1]
    return position


def _exif_position(
    exif: Image.Exif | None, block: bytes | None, notes: list[str]
) -> Position | None:
    if exif is None:
        return None
    try:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        halves = {ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLongitude} & gps.keys()
        if len(halves) == 1 or (not halves and _has_lost_gps(exif, block, len(gps))):
            raise ValueError("a part of the position is missing")
        if not halves:
            return None
        latitude = _degrees(
            gps[ExifTags.GPS.GPSLatitude], _reference(gps.get(ExifTags.GPS.GPSLatitudeRef)), "NS"
        )
        longitude = _degrees(
            gps[ExifTags.GPS.GPSLongitude], _reference(gps.get(ExifTags.GPS.GPSLongitudeRef)), "EW"
        )
    except Exception:  # many kinds of errors, of the same meaning
        notes.append("The photo's GPS data is broken and was left out.")
        return None
    return _checked_position(latitude, longitude, notes)


def _has_lost_gps(exif: Image.Exif, block: bytes | None, read: int) -> bool:
    """Whether the GPS block of the Exif states more than the `read` tags."""
    start = exif.get(ExifTags.IFD.GPSInfo)
    if not block or not isinstance(start, int):
        return False
    tiff = block.removeprefix(b"Exif\0\0")
    if start + 2 > len(tiff):
        return True
    (tags,) = struct.unpack_from("<H" if tiff.startswith(b"II") else ">H", tiff, start)
    return bool(tags > read)


def _checked_position(latitude: float, longitude: float, notes: list[str]) -> Position | None:
    position = Position(latitude, longitude)
    if is_null_island(position):
        notes.append("The photo's GPS position is 0, 0, which is none, and was left out.")
        return None
    if not is_on_earth(position):
        notes.append("The photo's GPS position is out of range and was left out.")
        return None
    return position


def _reference(value: Any) -> str:
    """The hemisphere as one capital letter, whatever type the tag has; '' where it is blank."""
    if isinstance(value, int):
        value = bytes([value])
    elif isinstance(value, tuple):
        value = bytes(int(part) for part in value)
    text = value.decode("ascii") if isinstance(value, bytes) else str(value or "")
    return text.strip("\0 ")[:1].upper()


def _degrees(value: Any, reference: str, letters: str, *, signed: bool = False) -> float:
    """Signed degrees from degrees, minutes and seconds, or from a bare number.

    `letters` are the two hemispheres, the positive one first. A sign of any part, or the negative
    hemisphere, makes the whole negative. Without either, only `signed` numbers are positive: for
    others the hemisphere is unknown.

    Raises:
        ValueError: not a number, no hemisphere of these, or more than 60 minutes or seconds.
    """
    if reference and reference not in letters:
        raise ValueError(f"{reference} is not a hemisphere of {letters}")
    parts = [float(part) for part in (value if isinstance(value, tuple) else (value,))[:3]]
    degrees = math.fsum(abs(part) / 60.0**power for power, part in enumerate(parts))
    if not math.isfinite(degrees):
        raise ValueError("a GPS coordinate is not a number")
    # Rounded seconds come as 60.
    if any(abs(part) > 60 for part in parts[1:]):
        raise ValueError("more than 60 minutes or seconds")
    negative = any(part < 0 for part in parts)
    if not (reference or negative or signed):
        raise ValueError(f"neither {letters[0]} nor {letters[1]}")
    return -degrees if negative or reference == letters[1] else degrees


def xmp_packet(image: Image.Image) -> bytes:
    """The raw XMP packet of a photo; empty where it has none."""
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if isinstance(packet, str):
        packet = packet.encode()
    return packet if isinstance(packet, bytes) else b""


def _xmp_position(image: Image.Image, notes: list[str]) -> Position | None:
    """The position in an XMP packet, as `exif:GPSLatitude="48,8.1N"`."""
    coordinates = dict(_XMP_COORDINATE.findall(xmp_packet(image)))
    if len(coordinates) < 2:
        return None
    try:
        return _checked_position(
            _xmp_degrees(coordinates[b"Latitude"], "NS"),
            _xmp_degrees(coordinates[b"Longitude"], "EW"),
            notes,
        )
    except ValueError:
        notes.append("The photo's GPS data is broken and was left out.")
        return None


def _xmp_degrees(text: bytes, letters: str) -> float:
    parsed = _XMP_DEGREES.fullmatch(text.decode("ascii").strip())
    if parsed is None:
        raise ValueError("not a coordinate of XMP")
    *parts, reference = parsed.groups()
    numbers = tuple(part for part in parts if part)
    # Decimal degrees have a sign in place of a letter.
    return _degrees(numbers, (reference or "").upper(), letters, signed=len(numbers) == 1)
