"""The capture time of a photo, by its Exif block."""

from datetime import UTC, datetime

from PIL import ExifTags, Image

_TIMES = (
    (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
    (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
)


def capture_time(exif: Image.Exif | None, ahead_s: float = 0.0) -> float | None:
    """The capture time in seconds since 1970, UTC; None where unknown.

    `ahead_s` is how far the clock was ahead of UTC, in seconds, where the Exif names no zone.
    """
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
            seconds = local.timestamp() - (ahead_s if offset is None else offset)
        except (ValueError, OverflowError):
            continue
        return seconds + (float(f"0.{fraction}") if fraction.isdecimal() else 0.0)
    return None


def _offset(zone: str) -> float | None:
    """The seconds that a zone such as `+05:30` is ahead of UTC; None for other texts."""
    try:
        offset = datetime.strptime(zone.replace("Z", "+00:00"), "%z").utcoffset()
    except ValueError:
        return None
    return None if offset is None else offset.total_seconds()
