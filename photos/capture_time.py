"""The capture time of a photo, by its Exif block."""

from datetime import UTC, datetime
from typing import NamedTuple

from PIL import ExifTags, Image

_TIMES = (
    (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
    (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
)


class CaptureTime(NamedTuple):
    """Seconds since 1970: in UTC where the Exif names a zone, else by the camera's clock."""

    seconds: float
    names_zone: bool


def capture_time(exif: Image.Exif | None) -> CaptureTime | None:
    """The capture time, None where unknown."""
    if exif is None:
        return None
    try:
        tags = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # Pillow raises many kinds of errors for broken blocks
        return None
    for time, zone in _TIMES:
        text = f"{tags.get(time, '')}".strip("\0 ")
        fraction = f"{tags.get(ExifTags.Base.SubsecTimeOriginal, '')}".strip("\0 ")
        try:
            local = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
            offset = _offset(f"{tags.get(zone, '')}".strip("\0 "))
            seconds = local.timestamp() - (offset or 0.0)
        except (ValueError, OverflowError):
            continue
        seconds += float(f"0.{fraction}") if fraction.isdecimal() else 0.0
        return CaptureTime(seconds, offset is not None)
    return None


def _offset(zone: str) -> float | None:
    """The seconds that a zone such as `+05:30` is ahead of UTC; None for other texts."""
    try:
        offset = datetime.strptime(zone.replace("Z", "+00:00"), "%z").utcoffset()
    except ValueError:
        return None
    return None if offset is None else offset.total_seconds()
