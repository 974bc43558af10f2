"""When a photo was taken, by its Exif block."""

from datetime import UTC, datetime

from PIL import ExifTags, Image

_TIMES = (
    (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
    (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
)


def capture_time(exif: Image.Exif | None) -> float | None:
    """Seconds since 1970 in UTC, for which a time without a zone is taken; None where unknown."""
    if exif is None:
        return None
    try:
        tags = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # Pillow raises many kinds where the block is broken
        return None
    for time, zone in _TIMES:
        written = f"{tags.get(time, '')}".strip("\0 ")
        fraction = f"{tags.get(ExifTags.Base.SubsecTimeOriginal, '')}".strip("\0 ")
        try:
            # A zone that is not one is as good as none.
            local = datetime.strptime(written, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
            seconds = local.timestamp() - _offset(f"{tags.get(zone, '')}".strip("\0 "))
        except (ValueError, OverflowError):
            continue
        return seconds + (float(f"0.{fraction}") if fraction.isdecimal() else 0.0)
    return None


def _offset(zone: str) -> float:
    """The seconds that a zone such as `+05:30` is ahead of UTC; 0 for what is none."""
    try:
        offset = datetime.strptime(zone.replace("Z", "+00:00"), "%z").utcoffset()
    except ValueError:
        return 0.0
    return offset.total_seconds() if offset else 0.0
