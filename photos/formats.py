"""Telling photos from other files by how their content begins."""

import re

HEAD_BYTES = 32
_BEGINNINGS = re.compile(
    rb"\xff\xd8\xff"  # JPEG
    rb"|\x89PNG\r\n\x1a\n"
    rb"|RIFF....WEBP"
    rb"|....ftyp(?:heic|heix|heim|heis|hevc|hevx|hevm|hevs|mif1|msf1|avif|avis)"
    rb"|GIF8[79]a"
    rb"|BM........[\s\S]{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"
    rb"|P[1-6]\s+[#\d]",
    re.DOTALL,
)


def begins_like_photo(head: bytes) -> bool:
    """Whether a file that begins with these `HEAD_BYTES` bytes is a photo that can be decoded.

    TIFF is not among them: the raw files of cameras begin like it and hold but a small preview.
    """
    return _BEGINNINGS.match(head) is not None
