"""Places over HTTP: what the index holds, photos and thumbnails."""

import io
import os
import re
from typing import Any

import httpx
import pytest
from PIL import Image

from place_search.search.engine import Engine
from place_search.search.server.content.pictures import picture_tag
from place_search_client.reading import read_pictures
from tests.search.replies import RESULT_KEYS, check_security, problem


def test_about_the_index(client: httpx.Client, engine: Engine) -> None:
    body = client.get("/v1/index").json()
    assert body["index_id"] == engine.index.index_id
    assert body["model"] == "lite0-netvlad-1024"
    assert body["fingerprint"] == engine.model.fingerprint
    assert (body["places"], body["positions"], body["dims"]) == (12, 10, 1024)
    assert body["skipped"]["count"] == 1
    (skipped,) = body["skipped"]["photos"]
    assert skipped["name"] == "half.jpg"
    assert skipped["reason"]
    assert body["created"] == engine.index.manifest.created


def test_one_place(client: httpx.Client) -> None:
    places = [client.get(f"/v1/places/{place_id}").json() for place_id in range(12)]
    assert [place["name"] for place in places] == [f"{place:02d}.jpg" for place in range(12)]
    assert places[10]["position"] is places[10]["utm"] is None
    said = {"taken", "note", "tags", "fields"}
    of_results = {"rank", "similarity", "probability", "verified", "group", "query_view"}
    assert set(places[0]) - said == RESULT_KEYS - of_results


@pytest.mark.parametrize("what", ["", "/image", "/thumbnail"])
@pytest.mark.parametrize(
    "place",
    [
        *("12", "-1", "abc", "1.5", "1.0", "1_0", "%2B1", "01", "%201"),
        *("9223372036854775808", "9" * 5000, "%2e%2e"),
    ],
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


@pytest.mark.parametrize(("what", "most"), [("image", 1600), ("thumbnail", 320)])
def test_pictures_come_as_small_as_they_are_asked_for(
    client: httpx.Client, what: str, most: int
) -> None:
    path = f"/v1/places/1/{what}"
    whole, small = client.get(path), client.get(path, params={"side": 80})
    assert len(small.content) < len(whole.content)
    wide = Image.open(io.BytesIO(whole.content)).size
    assert max(wide) <= most
    size = Image.open(io.BytesIO(small.content)).size
    assert max(size) == 80
    assert size[0] / size[1] == pytest.approx(wide[0] / wide[1], rel=0.02)
    assert small.headers["etag"] != whole.headers["etag"]
    assert client.get(path, params={"side": most}).content == whole.content
    for side in ("63", str(most + 1), "large"):
        problem(client.get(path, params={"side": side}), "bad-parameter")


@pytest.mark.parametrize("what", ["image", "thumbnail"])
def test_pictures_are_revalidated(client: httpx.Client, what: str) -> None:
    first = client.get(f"/v1/places/1/{what}")
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get(
        f"/v1/places/1/{what}", headers={"if-none-match": f'"x", {first.headers["etag"]}'}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"/v1/places/2/{what}").headers["etag"] != first.headers["etag"]


def test_the_tag_of_a_photo_tells_nothing_of_its_file(engine: Engine) -> None:
    place = engine.index.place(1)
    status = place.path.stat()
    tag = picture_tag(place, 1600)
    assert re.fullmatch('"[0-9a-f]{24}"', tag)
    assert f"{status.st_mtime_ns:x}" not in tag
    os.utime(place.path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert picture_tag(place, 1600) != tag
    os.utime(place.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert picture_tag(place, 1600) == tag


@pytest.mark.parametrize("path", ["/v1/places/1", "/v1/places/1/group", "/", "/main.js"])
@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_what_a_client_has_is_not_sent_again(client: httpx.Client, path: str, coding: str) -> None:
    headers = {"accept-encoding": coding}
    first = client.get(path, headers=headers)
    assert "no-cache" in first.headers["cache-control"]
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = client.get(path, headers={**headers, "if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert "content-type" not in again.headers
        assert client.head(path, headers={**headers, "if-none-match": known}).status_code == 304
    for other in ('"x"', "", tag.strip('"')):
        again = client.get(path, headers={**headers, "if-none-match": other})
        assert (again.status_code, again.content) == (200, first.content)


def test_a_thumbnail_named_with_its_index_is_kept_for_good(client: httpx.Client) -> None:
    index_id = client.get("/v1/index").json()["index_id"]
    kept = client.get("/v1/places/1/thumbnail", params={"v": index_id})
    assert "immutable" in kept.headers["cache-control"]
    other = client.get("/v1/places/1/thumbnail", params={"v": "another"})
    assert "immutable" not in other.headers["cache-control"]
    thumbnail = Image.open(io.BytesIO(kept.content))
    assert thumbnail.format == "JPEG"
    assert max(thumbnail.size) <= 400


def test_thumbnails_of_many_places_come_in_one_answer(client: httpx.Client) -> None:
    index_id = client.get("/v1/index").json()["index_id"]
    asked: dict[str, Any] = {"place": [3, 1, 99, 0], "side": 80}
    response = client.get("/v1/thumbnails", params=asked | {"v": index_id})
    check_security(response)
    assert "immutable" in response.headers["cache-control"]
    found = read_pictures(response)
    assert found == {
        place: client.get(f"/v1/places/{place}/thumbnail", params={"side": 80}).content
        for place in (3, 1, 0)
    }
    assert "immutable" not in client.get("/v1/thumbnails", params=asked).headers["cache-control"]
    none = client.get("/v1/thumbnails", params={"place": 99})
    assert read_pictures(none) == {}
    wrongs: list[dict[str, Any]] = [{}, {"place": "1.0"}, {"place": [*range(101)]}, {"q": 1}]
    for wrong in (*wrongs, {"place": 1, "side": 63}):
        problem(client.get("/v1/thumbnails", params=wrong), "bad-parameter")
    for place, said in (
        ("abc", "place ids are whole numbers, not 'abc'"),
        ([*range(101)], "at most"),
    ):
        refused = problem(client.get("/v1/thumbnails", params={"place": place}), "bad-parameter")
        assert said in refused["detail"]
        assert "alue error" not in refused["detail"]
        assert "[" not in refused["detail"]
