"""Photos over HTTP: formats, orientation, Exif, and bodies that are too large."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from PIL import ExifTags, Image

from tests.search.replies import problem, search

INVERSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What the camera has done to a photo of each orientation."""


def test_a_text_file_is_no_photo(client: httpx.Client) -> None:
    problem(search(client, b"Dear all, this is no photo.\n" * 50), "unsupported-photo")


def test_half_a_photo_cannot_be_read(client: httpx.Client, street: Any) -> None:
    body = problem(search(client, street.query(0)[:5000]), "unreadable-photo")
    assert "/" not in body["detail"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_the_content_says_what_a_photo_is(client: httpx.Client, street: Any, kind: str) -> None:
    photo = io.BytesIO()
    street.photo(3).save(photo, kind)
    for name, media_type in (("a.txt", "text/plain"), ("a.gif", "image/gif"), ("a", "")):
        files = {"photo": (name, photo.getvalue(), media_type)}
        found = client.post("/v1/search", params={"k": 1}, files=files)
        assert found.json()["results"][0]["name"] == "03.jpg"


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "ICO", "PPM", "TGA"])
def test_other_formats_are_not_taken_whatever_they_are_called(
    client: httpx.Client, street: Any, kind: str
) -> None:
    photo = io.BytesIO()
    street.photo(3).resize((64, 48)).save(photo, kind)
    files = {"photo": ("a.jpg", photo.getvalue(), "image/jpeg")}
    problem(client.post("/v1/search", files=files), "unsupported-photo")


def test_every_orientation_gives_the_same_answer(client: httpx.Client, street: Any) -> None:
    upright = Image.open(io.BytesIO(street.query(3)))
    answers = []
    for orientation in range(1, 9):
        turned = Image.new("RGB", upright.size)
        turned.paste(upright)
        if orientation > 1:
            turned = turned.transpose(INVERSES[orientation])
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        content = io.BytesIO()
        turned.save(content, "PNG", exif=exif)
        body = search(client, content.getvalue(), verify="true").json()
        answers.append((body["query"], body["results"], body["location"]))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][1][0]["name"] == "03.jpg"


def test_broken_exif_is_a_note(client: httpx.Client, street: Any) -> None:
    photo = street.query(3)
    broken = b"Exif\0\0XX*\0\x08\0\0\0"
    segment = b"\xff\xe1" + struct.pack(">H", len(broken) + 2) + broken
    body = search(client, photo[:2] + segment + photo[2:], k=1).json()
    assert body["results"][0]["name"] == "03.jpg"
    assert body["results"] == search(client, photo, k=1).json()["results"]
    assert any("Exif" in note for note in body["query"]["notes"]), body["query"]


def bomb() -> bytes:
    """A PNG of a few bytes whose header announces 30000 × 30000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))


def test_a_photo_that_announces_too_many_pixels_is_refused(client: httpx.Client) -> None:
    problem(search(client, bomb()), "oversized-photo")


def test_a_large_body_is_refused_by_its_announced_size(client: httpx.Client) -> None:
    body = problem(search(client, bytes(3 << 20)), "body-too-large")
    assert "2 MiB" in body["detail"]


def test_a_large_body_is_refused_while_it_streams(client: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
        for _ in range(48):
            yield bytes(1 << 16)
        yield b"\r\n--x--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = client.post("/v1/search", content=chunks(), headers=headers)
    assert "content-length" not in response.request.headers
    problem(response, "body-too-large")


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1/index", "/readyz"])
def test_a_large_body_anywhere_is_refused(client: httpx.Client, path: str) -> None:
    problem(client.post(path, content=bytes(3 << 20)), "body-too-large")


def test_a_body_within_the_limit_is_taken(client: httpx.Client, street: Any) -> None:
    padded = street.query(4) + bytes((1 << 20) + (1 << 19))
    assert search(client, padded, k=1).json()["results"][0]["name"] == "04.jpg"


def test_a_photo_s_position_comes_back(
    client: httpx.Client, street: Any, encode_photo: Callable[..., bytes]
) -> None:
    photo = encode_photo(street.photo(1), position=street.position(1))
    position = search(client, photo).json()["query"]["position"]
    assert position == pytest.approx({"latitude": 48.001, "longitude": 11.5})


def test_the_schema_tells_of_pictures_that_are_known_already(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for kind in ("image", "thumbnail"):
        address = f"/v1/places/0/{kind}"
        etag = client.get(address).headers["etag"]
        assert client.get(address, headers={"If-None-Match": etag}).status_code == 304
        assert "304" in paths[f"/v1/places/{{place_id}}/{kind}"]["get"]["responses"]
