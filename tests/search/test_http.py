"""The HTTP contract, asked of a real server."""

import io
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from PIL import ExifTags, Image

from place_search.search.engine import Engine
from place_search.search.server.problems import PROBLEMS

RESULT_KEYS = {
    *("rank", "place_id", "name", "similarity", "probability", "verified", "position", "utm"),
    *("image_url", "thumbnail_url"),
}


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


def search(client: httpx.Client, photo: bytes, **query: Any) -> httpx.Response:
    return client.post("/v1/search", params=query, files={"photo": ("query.jpg", photo)})


def problem(response: httpx.Response, name: str) -> dict[str, Any]:
    """Check that a response is this problem, whole and with all headers; returns it."""
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    expected = PROBLEMS[name]
    assert (body["type"], body["title"]) == (f"/problems/{name}", expected.title)
    assert body["status"] == response.status_code == expected.status
    assert body["detail"].endswith(".")
    assert body["detail"][0] == body["detail"][0].upper()
    check_security(response)
    return body


def check_security(response: httpx.Response) -> None:
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'self'" in response.headers["content-security-policy"]


def test_search_finds_the_place(client: httpx.Client, street: Any) -> None:
    response = search(client, street.query(7), k=3)
    assert response.status_code == 200
    check_security(response)
    body = response.json()
    expected = {"index_id", "model", "query", "timings_ms", "match", "results", "location"}
    assert set(body) == expected
    assert body["match"]["verdict"] == "found"
    assert body["match"]["probability"] == body["results"][0]["probability"] >= 0.95
    assert body["query"] == {"width": 596, "height": 447, "position": None, "notes": []}
    assert set(body["timings_ms"]) == {"queue", "decode", "embed", "search", "verify", "total"}
    assert body["location"]["latitude"] == pytest.approx(48.007, abs=1e-6)
    assert [result["rank"] for result in body["results"]] == [1, 2, 3]
    for result in body["results"]:
        assert set(result) == RESULT_KEYS
    best = body["results"][0]
    assert best["name"] == "07.jpg"
    assert best["position"] == pytest.approx({"latitude": 48.007, "longitude": 11.5})
    assert set(best["utm"]) == {"easting", "northing", "zone"}
    assert client.get(best["image_url"]).status_code == 200
    assert client.get(best["thumbnail_url"]).status_code == 200


def test_the_server_answers_what_the_engine_does(
    client: httpx.Client, engine: Engine, street: Any
) -> None:
    query = street.query(2)
    expected = engine.search(query, near=street.position(3), radius_m=150, verify=True)
    body = search(client, query, near="48.003,11.5", radius_m=150, verify="true").json()
    assert body["results"] == expected.to_dict()["results"]
    assert body["query"] == expected.to_dict()["query"]


def test_ten_places_are_the_default(client: httpx.Client, street: Any) -> None:
    assert len(search(client, street.query(0)).json()["results"]) == 10


def test_a_reply_is_not_held_back(client: httpx.Client, street: Any) -> None:
    # Nagle's algorithm with delayed acknowledgements adds 40 ms to every reply.
    query = street.query(0)
    overheads = []
    for _ in range(10):
        started = time.perf_counter()
        reply = search(client, query).json()
        overheads.append((time.perf_counter() - started) * 1000 - reply["timings_ms"]["total"])
    assert min(overheads) < 30


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"k": "0"}, "k"),
        ({"k": "101"}, "k"),
        ({"k": "many"}, "k"),
        ({"verify": "perhaps"}, "verify"),
        ({"near": "48,11", "radius_m": "-1"}, "radius_m"),
        ({"near": "48,11", "radius_m": "nan"}, "radius_m"),
        ({"near": "48,11"}, "radius_m"),
        ({"radius_m": "5"}, "near"),
        ({"near": "north", "radius_m": "5"}, "north"),
    ],
)
def test_a_wrong_parameter_is_named(
    client: httpx.Client, street: Any, query: dict[str, str], name: str
) -> None:
    body = problem(search(client, street.query(0), **query), "bad-parameter")
    assert name in body["detail"]


def test_wrong_parameters_are_listed(client: httpx.Client, street: Any) -> None:
    body = problem(search(client, street.query(0), k=500, radius_m=0), "bad-parameter")
    assert {error["name"] for error in body["errors"]} == {"k", "radius_m"}
    assert "500" in body["detail"]


PHOTO = ("photo", ("a.jpg", b"x"))


@pytest.mark.parametrize(
    ("method", "path", "sent", "wrong"),
    [
        ("POST", "/v1/search?top=3", [PHOTO], {"top"}),
        ("POST", "/v1/search?K=3&Verify=true", [PHOTO], {"K", "Verify"}),
        ("POST", "/v1/search?k=3&k=5", [PHOTO], {"k"}),
        ("POST", "/v1/search", [PHOTO, PHOTO], {"photo"}),
        ("POST", "/v1/search", [PHOTO, ("k", (None, "3"))], {"k"}),
        ("POST", "/v1/search", [("image", ("a.jpg", b"x"))], {"image"}),
        ("POST", "/v1/compare?k=3", [("image1", b"x"), ("image2", b"x")], {"k"}),
        ("POST", "/compare", [("image1", b"x"), ("image2", b"x"), ("image3", b"x")], {"image3"}),
        ("POST", "/v1/explain?cluster=1", [PHOTO], {"cluster"}),
        ("GET", "/v1/index?places=1", None, {"places"}),
        ("GET", "/v1/model?id=1", None, {"id"}),
        ("GET", "/v1/reports?name=1", None, {"name"}),
        ("GET", "/v1/places?bbox=1,1,2,2&limits=3", None, {"limits"}),
        ("GET", "/v1/places/0?fields=name", None, {"fields"}),
        ("GET", "/v1/places/0/image?width=3", None, {"width"}),
        ("GET", "/v1/places/0/thumbnail?v=1&v=2", None, {"v"}),
    ],
)
def test_no_field_is_ignored(
    client: httpx.Client, method: str, path: str, sent: Any, wrong: set[str]
) -> None:
    body = problem(client.request(method, path, files=sent), "bad-parameter")
    assert {error["name"] for error in body["errors"]} == wrong
    assert all(name in body["detail"] for name in wrong)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"files": {"image": b"x"}},
        {"data": {"photo": "a text"}},
        {"json": {"photo": "x"}},
        {"content": b"x", "headers": {"content-type": "image/jpeg"}},
        {"files": {"photo": ("empty.jpg", b"")}},
    ],
)
def test_without_a_photo_the_field_is_named(client: httpx.Client, body: dict[str, Any]) -> None:
    answer = problem(client.post("/v1/search", **body), "bad-parameter")
    assert "photo" in answer["detail"]


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=other"]
)
def test_a_broken_multipart_body_is_refused(client: httpx.Client, content_type: str) -> None:
    response = client.post(
        "/v1/search", content=b"--x\r\nnonsense", headers={"content-type": content_type}
    )
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


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


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/", "/v1/nothing", "/__init__.py", "/jsconfig.json"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_address_is_a_problem(client: httpx.Client, method: str, path: str) -> None:
    assert path in problem(client.request(method, path), "not-found")["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/search", "POST"),
        ("POST", "/v1/index", "GET"),
        ("DELETE", "/v1/places/1", "GET"),
    ],
)
def test_a_wrong_method_is_a_problem(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    problem(response, "method-not-allowed")
    assert allowed in response.headers["allow"]


def test_about_the_index(client: httpx.Client, engine: Engine) -> None:
    body = client.get("/v1/index").json()
    assert body["index_id"] == engine.index.index_id
    assert body["model"] == "lite0-netvlad"
    assert body["fingerprint"] == engine.model.fingerprint
    assert (body["places"], body["positions"], body["dims"]) == (12, 10, 7168)
    assert body["skipped"]["count"] == 1
    (skipped,) = body["skipped"]["photos"]
    assert skipped["name"] == "half.jpg"
    assert skipped["reason"]
    assert body["created"] == engine.index.manifest.created


def test_one_place(client: httpx.Client) -> None:
    places = [client.get(f"/v1/places/{place_id}").json() for place_id in range(12)]
    assert [place["name"] for place in places] == [f"{place:02d}.jpg" for place in range(12)]
    assert places[10]["position"] is places[10]["utm"] is None
    assert set(places[0]) == RESULT_KEYS - {"rank", "similarity", "probability", "verified"}


@pytest.mark.parametrize("what", ["", "/image", "/thumbnail"])
@pytest.mark.parametrize(
    "place", ["12", "-1", "abc", "1.5", "9223372036854775808", "9" * 5000, "%2e%2e"]
)
def test_an_unknown_place_is_a_problem(client: httpx.Client, place: str, what: str) -> None:
    problem(client.get(f"/v1/places/{place}{what}"), "unknown-place")


@pytest.mark.parametrize("path", ["../manifest.json", "..%2fmanifest.json", "0/../../etc/passwd"])
def test_paths_lead_nowhere(client: httpx.Client, path: str) -> None:
    assert client.get(f"/v1/places/{path}").status_code == 404


def test_the_image_is_upright_bounded_and_bare(client: httpx.Client) -> None:
    for what, size in (("image", (640, 480)), ("thumbnail", (320, 240))):
        response = client.get(f"/v1/places/0/{what}")
        assert response.headers["content-type"] == "image/jpeg"
        image = Image.open(io.BytesIO(response.content))
        assert image.size == size
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        check_security(response)


def test_a_link_in_the_place_of_a_photo_leads_nowhere(client: httpx.Client, street: Any) -> None:
    gone = street.folder / "09.jpg"
    gone.symlink_to("/etc/passwd")
    try:
        response = client.get("/v1/places/9/image")
        problem(response, "photo-gone")
        assert b"root:" not in response.content
    finally:
        gone.unlink()


def test_a_photo_that_has_gone_is_a_problem_without_its_path(
    client: httpx.Client, street: Any
) -> None:
    body = problem(client.get("/v1/places/9/image"), "photo-gone")
    assert "09.jpg" in body["detail"]
    assert str(street.folder) not in body["detail"]
    assert client.get("/v1/places/9/thumbnail").status_code == 200


@pytest.mark.parametrize("what", ["image", "thumbnail"])
def test_pictures_are_revalidated(client: httpx.Client, what: str) -> None:
    first = client.get(f"/v1/places/1/{what}")
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get(
        f"/v1/places/1/{what}", headers={"if-none-match": f'"x", {first.headers["etag"]}'}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"/v1/places/2/{what}").headers["etag"] != first.headers["etag"]


def test_a_thumbnail_named_with_its_index_is_kept_for_good(client: httpx.Client) -> None:
    index_id = client.get("/v1/index").json()["index_id"]
    kept = client.get("/v1/places/1/thumbnail", params={"v": index_id})
    assert "immutable" in kept.headers["cache-control"]
    other = client.get("/v1/places/1/thumbnail", params={"v": "another"})
    assert "immutable" not in other.headers["cache-control"]
    thumbnail = Image.open(io.BytesIO(kept.content))
    assert thumbnail.format == "JPEG"
    assert max(thumbnail.size) <= 400


def test_health(client: httpx.Client, engine: Engine) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {
        "status": "ready",
        "index_id": engine.index.index_id,
        "model": "lite0-netvlad",
        "places": 12,
    }


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_type_can_be_looked_up(client: httpx.Client, name: str) -> None:
    body = client.get(f"/problems/{name}").json()
    assert body == {
        "type": f"/problems/{name}",
        "status": PROBLEMS[name].status,
        "title": PROBLEMS[name].title,
    }


def test_an_unknown_problem_type_is_a_problem(client: httpx.Client) -> None:
    problem(client.get("/problems/none"), "not-found")


def test_the_page_is_served(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<html" in page.text
    check_security(page)
    script = client.get("/main.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get("/favicon.svg").headers["content-type"] == "image/svg+xml"
    assert client.head("/").status_code == 200


def test_the_documentation_needs_no_network(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert client.get("/docs/swagger-ui-bundle.js").status_code == 200
    assert client.get("/docs/swagger-ui.css").headers["content-type"].startswith("text/css")


def test_the_schema_documents_the_replies_and_problems(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    operation = schema["paths"]["/v1/search"]["post"]
    assert set(operation["responses"]) == {
        "200",
        "400",
        "401",
        "403",
        "408",
        "413",
        "415",
        "421",
        "422",
        "429",
        "503",
    }
    busy = operation["responses"]["429"]["content"]
    assert list(busy) == ["application/problem+json"]
    assert not list(dangling(schema, schema))
    assert "422" not in schema["paths"]["/v1/places/{place_id}"]["get"]["responses"]
    reply = schema["components"]["schemas"]["ResultReply"]
    assert set(reply["properties"]) == RESULT_KEYS


def dangling(schema: Any, node: Any) -> Iterator[str]:
    """References that lead nowhere."""
    if isinstance(node, dict):
        reference = node.get("$ref")
        if reference and reference.split("/")[-1] not in schema["components"]["schemas"]:
            yield reference
        for child in node.values():
            yield from dangling(schema, child)
    elif isinstance(node, list):
        for child in node:
            yield from dangling(schema, child)


def test_a_photo_s_position_comes_back(
    client: httpx.Client, street: Any, encode_photo: Callable[..., bytes]
) -> None:
    photo = encode_photo(street.photo(1), position=street.position(1))
    position = search(client, photo).json()["query"]["position"]
    assert position == pytest.approx({"latitude": 48.001, "longitude": 11.5})
