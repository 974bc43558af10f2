"""Recognising photos by their first bytes."""

import re
from collections.abc import Iterable

HEAD_BYTES = 32
_BEGINNINGS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF....WEBP",
    "HEIF": rb"....ftyp(?:heic|heix|heim|heis|hevc|hevx|hevm|hevs)",
    "AVIF": rb"....ftyp(?:avif|avis)",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM........[\s\S]{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "PPM": rb"P[1-6]\s+[#\d]",
}
_HEIF_OR_AVIF = rb"....ftyp(?:mif1|msf1)"
"""The beginning of HEIF and AVIF files, and of other formats that are not decoded."""
_ANY = re.compile(b"|".join((*_BEGINNINGS.values(), _HEIF_OR_AVIF)), re.DOTALL)


def begins_like_photo(head: bytes) -> bool:
    """Whether a file that begins with these `HEAD_BYTES` bytes is a photo that can be decoded.

    TIFF does not count: raw files of cameras begin like TIFF, and hold only a small preview.
    """
    return _ANY.match(head) is not None


def begins_like(head: bytes, formats: Iterable[str]) -> bool:
    """Whether a file with these first bytes is in one of `formats`, whole or not."""
    beginnings = (_BEGINNINGS[name] for name in formats if name in _BEGINNINGS)
    return any(re.match(beginning, head, re.DOTALL) for beginning in beginnings)
