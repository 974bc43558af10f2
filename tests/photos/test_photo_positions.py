"""Positions in metadata: every type of tag, every sign, Exif before XMP."""

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from place_search.core.geodesy import Position
from place_search.photos import Photo, decode_photo
from place_search.photos.decoding import inspect_position

CHILE = Position(-33.85, -70.5)
RATIONAL, SIGNED, ASCII, BYTE, UNDEFINED, SHORT = 5, 10, 2, 1, 7, 3
Triple = tuple[tuple[int, int], ...]
PLAIN = ((33, 1), (51, 1), (0, 1)), ((70, 1), (30, 1), (0, 1))
NEGATIVE = ((-33, 1), (51, 1), (0, 1)), ((-70, 1), (30, 1), (0, 1))
ALL_NEGATIVE = ((-33, 1), (-51, 1), (0, 1)), ((-70, 1), (-30, 1), (0, 1))


def gps_block(
    number_type: int, pair: tuple[Triple, Triple], refs: dict[int, tuple[int, int, bytes]]
) -> bytes:
    """An Exif block whose GPS tags have exactly these types."""
    form = "i" if number_type == SIGNED else "I"
    entries = [(tag, *ref) for tag, ref in refs.items()]
    for tag, triple in zip((2, 4), pair, strict=True):
        data = b"".join(struct.pack(f"<{form}{form}", *part) for part in triple)
        entries.append((tag, number_type, 3, data))
    at = 26 + 2 + 12 * len(entries) + 4
    ifd, blob = struct.pack("<H", len(entries)), b""
    for tag, kind, count, value in sorted(entries):
        if len(value) > 4:
            ifd += struct.pack("<HHII", tag, kind, count, at + len(blob))
            blob += value
        else:
            ifd += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    head = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x8825, 4, 1, 26, 0)
    return head + ifd + b"\0" * 4 + blob


def jpeg(**options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 24), "grey").save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "south", "west"),
    [
        (ASCII, b"S\0", b"W\0"),
        (UNDEFINED, b"S\0", b"W\0"),
        (BYTE, b"S\0", b"W\0"),
        (SHORT, b"S\0\0\0", b"W\0\0\0"),
        (ASCII, b"s\0", b"w\0"),
    ],
)
@pytest.mark.parametrize("pair", [PLAIN, NEGATIVE, ALL_NEGATIVE])
def test_references_of_any_type(
    kind: int, south: bytes, west: bytes, pair: tuple[Triple, Triple]
) -> None:
    refs = {1: (kind, 2, south), 3: (kind, 2, west)}
    signed = RATIONAL if pair is PLAIN else SIGNED
    photo = decode_photo(jpeg(exif=gps_block(signed, pair, refs)))
    assert photo.position == pytest.approx(CHILE)
    assert photo.notes == ()


@pytest.mark.parametrize("pair", [NEGATIVE, ALL_NEGATIVE])
def test_signed_numbers_without_a_reference(pair: tuple[Triple, Triple]) -> None:
    assert decode_photo(jpeg(exif=gps_block(SIGNED, pair, {}))).position == pytest.approx(CHILE)


def test_a_reference_that_names_no_hemisphere_is_not_guessed() -> None:
    refs = {1: (ASCII, 2, b"W\0"), 3: (ASCII, 2, b"S\0")}
    photo = decode_photo(jpeg(exif=gps_block(RATIONAL, PLAIN, refs)))
    assert photo.position is None
    assert "GPS data is broken" in photo.notes[0]


SOUTH, WEST = {1: (ASCII, 2, b"S\0")}, {3: (ASCII, 2, b"W\0")}


@pytest.mark.parametrize(
    "refs", [{}, {1: (ASCII, 1, b"\0"), 3: (ASCII, 2, b" \0")}, SOUTH, WEST], ids=repr
)
@pytest.mark.parametrize("kind", [RATIONAL, SIGNED])
def test_a_missing_reference_is_not_guessed(
    refs: dict[int, tuple[int, int, bytes]], kind: int
) -> None:
    photo = decode_photo(jpeg(exif=gps_block(kind, PLAIN, refs)))
    assert photo.position is None
    assert "GPS data is broken" in photo.notes[0]


@pytest.mark.parametrize("part", [1, 2])
def test_minutes_and_seconds_beyond_60_are_broken(part: int) -> None:
    def photo_with(number: int) -> Photo:
        parts = list(PLAIN[0])
        parts[part] = (number, 1)
        return decode_photo(
            jpeg(exif=gps_block(RATIONAL, (tuple(parts), PLAIN[1]), {**SOUTH, **WEST}))
        )

    assert photo_with(60).position is not None
    assert photo_with(61).position is None
    assert "GPS data is broken" in photo_with(61).notes[0]


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        ("33,51.0S", "70,30.0W"),
        ("33,51,0S", "70,30,0W"),
        ("-33.85", "-70.5"),
        ("33.85S", "70.5W"),
    ],
)
@pytest.mark.parametrize("form", ['exif:{}="{}"', "<exif:{0}>{1}</exif:{0}>"])
def test_xmp_where_exif_has_none(latitude: str, longitude: str, form: str, tmp_path: Path) -> None:
    fields = (("GPSLatitude", latitude), ("GPSLongitude", longitude))
    packet = " ".join(form.format(*field) for field in fields)
    content = jpeg(xmp=f"<x:xmpmeta>{packet}</x:xmpmeta>".encode())
    assert decode_photo(content).position == pytest.approx(CHILE)
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    position, notes = inspect_position(path)
    assert position == pytest.approx(CHILE)
    assert notes == ()


def test_exif_comes_before_xmp() -> None:
    refs = {1: (ASCII, 2, b"S\0"), 3: (ASCII, 2, b"W\0")}
    packet = b'<x exif:GPSLatitude="1,0.0N" exif:GPSLongitude="2,0.0E"/>'
    photo = decode_photo(jpeg(exif=gps_block(RATIONAL, PLAIN, refs), xmp=packet))
    assert photo.position == pytest.approx(CHILE)


@pytest.mark.parametrize("latitude", ["north", "33,51.0", "33,51,0", "33,61.0S", "33,51,61S"])
def test_broken_xmp_is_a_note(latitude: str) -> None:
    packet = f'<x exif:GPSLatitude="{latitude}" exif:GPSLongitude="2,0.0E"/>'.encode()
    photo = decode_photo(jpeg(xmp=packet))
    assert photo.position is None
    assert "GPS data is broken" in photo.notes[0]


@pytest.mark.parametrize(("kind", "size"), [("JPEG", (21000, 20000)), ("PNG", (10000, 6000))])
def test_a_photo_of_any_size_says_where_it_was_taken(
    kind: str, size: tuple[int, int], tmp_path: Path
) -> None:
    """Its header is enough: no pixels are decoded."""
    refs = {1: (ASCII, 2, b"S\0"), 3: (ASCII, 2, b"W\0")}
    exif = gps_block(RATIONAL, PLAIN, refs)
    if kind == "PNG":
        Image.new("1", size).save(tmp_path / "large", kind, exif=exif)
    else:
        data = jpeg(exif=exif)
        start = data.index(b"\xff\xc0") + 5
        (tmp_path / "large").write_bytes(
            data[:start] + struct.pack(">HH", *size[::-1]) + data[start + 4 :]
        )
    position, notes = inspect_position(tmp_path / "large")
    assert position == CHILE
    assert notes == ()
