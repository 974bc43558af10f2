"""Adding and removing places over HTTP."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from place_search.core.geodesy import Position
from place_search.indexer import compact_index, open_index
from place_search.models import Model
from place_search.search.errors import ServerError
from place_search.search.server.keys import new_key
from place_search.search.server.server import serve
from place_search.search.server.settings import ServerSettings
from tests.search.replies import problem
from tests.search.writable import index_of_street, writable_server


@pytest.fixture(scope="module")
def folder(street: Any, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ("0.jpg", "1.jpg", "2.jpg")
    return index_of_street(tmp_path_factory.mktemp("writable"), street, model, names)


@pytest.fixture(scope="module")
def writing(start_server: Callable[..., Any], folder: Path) -> Iterator[httpx.Client]:
    with writable_server(start_server, folder) as server, server.client() as client:
        yield client


def best(client: httpx.Client, photo: bytes) -> dict[str, Any]:
    reply = client.post("/v1/search", files={"photo": ("a", photo)}, params={"k": 1}).json()
    result: dict[str, Any] = reply["results"][0]
    return result


def test_a_place_is_added_found_and_removed(
    writing: httpx.Client, folder: Path, street: Any, encode_photo: Callable[..., bytes]
) -> None:
    photo = encode_photo(street.photo(7), position=Position(48.5, 11.0))
    fields = {"latitude": "48.1", "longitude": "11.5", "name": "Town hall ü"}
    added = writing.post("/v1/places", files={"photo": ("../../x.jpg", photo)}, data=fields)
    assert added.status_code == 201, added.text
    place = added.json()
    assert added.headers["location"] == f"/v1/places/{place['place_id']}"
    assert place["name"] == "Town hall ü"
    assert place["position"] == pytest.approx({"latitude": 48.1, "longitude": 11.5})
    found = best(writing, street.query(7))
    assert found["place_id"] == place["place_id"]
    assert best(writing, photo)["place_id"] == place["place_id"]
    kept = open_index(folder).place(place["place_id"]).path
    assert kept.parent == folder.parent / "index-photos"
    assert not Image.open(io.BytesIO(kept.read_bytes())).getexif()
    assert writing.get(place["image_url"]).status_code == 200
    other_name, elsewhere = {"name": "Another"}, {"latitude": "1", "longitude": "2"}
    kept_codes = ["place-kept"]
    for data, codes in ((fields, []), ({}, []), (other_name, kept_codes), (elsewhere, kept_codes)):
        again = writing.post("/v1/places", files={"photo": ("b", photo)}, data=data)
        assert again.status_code == 200
        reply = again.json()
        assert [reason["code"] for reason in reply["reasons"]] == codes
        assert reply == place | {name: reply[name] for name in ("notes", "reasons")}
    told = writing.get(f"/v1/places/{place['place_id']}").json()
    assert place == told | {"notes": [], "reasons": []}
    for _ in range(2):
        assert writing.delete(f"/v1/places/{place['place_id']}").status_code == 204
    assert kept.exists(), "it can be restored"
    assert 'place_search_reloads_total{result="served"} 2.0' in writing.get("/metrics").text
    compact_index(folder)
    assert not kept.exists()
    assert writing.get(f"/v1/places/{place['place_id']}").status_code == 404
    assert best(writing, street.query(7))["place_id"] != place["place_id"]
    assert open_index(folder).count == 3
    counted = writing.get("/metrics").text
    assert 'place_search_stage_seconds_count{stage="change"} 3.0' in counted
    assert 'place_search_stage_seconds_count{stage="reload"} 3.0' in counted


def test_without_a_position_the_photo_s_own_is_taken(
    writing: httpx.Client, street: Any, encode_photo: Callable[..., bytes]
) -> None:
    photo = encode_photo(street.photo(8), position=Position(48.5, 11.0))
    place = writing.post("/v1/places", files={"photo": ("b", photo)}).json()
    assert place["position"] == pytest.approx({"latitude": 48.5, "longitude": 11.0})
    assert writing.delete(f"/v1/places/{place['place_id']}").status_code == 204


@pytest.mark.parametrize(
    ("photo", "fields", "name", "wrong"),
    [
        (b"text", {}, "unsupported-photo", None),
        (b"", {}, "bad-parameter", "photo"),
        (b"text", {"latitude": "48"}, "bad-parameter", "longitude"),
        (b"text", {"latitude": "98", "longitude": "1"}, "bad-parameter", "latitude"),
        (b"text", {"latitude": "0", "longitude": "0"}, "bad-parameter", "latitude longitude"),
        (b"text", {"name": "a\r\nb"}, "bad-parameter", "name"),
        (b"text", {"name": "a" * 201}, "bad-parameter", "name"),
    ],
)
def test_what_cannot_be_added_is_said(
    writing: httpx.Client, photo: bytes, fields: dict[str, str], name: str, wrong: str | None
) -> None:
    refused = writing.post("/v1/places", files={"photo": ("a", photo)}, data=fields)
    errors = problem(refused, name).get("errors", [])
    assert [error["name"] for error in errors] == (wrong.split() if wrong else [])


def test_a_place_that_never_was_and_the_last_one_cannot_be_removed(
    writing: httpx.Client, folder: Path
) -> None:
    unknown = writing.delete("/v1/places/999")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/unknown-place")
    ids = [int(place_id) for place_id in open_index(folder).place_ids]
    for place_id in ids[1:]:
        assert writing.delete(f"/v1/places/{place_id}").status_code == 204
    last = writing.delete(f"/v1/places/{ids[0]}")
    assert (last.status_code, last.json()["type"]) == (409, "/problems/cannot-change")
    assert "would leave no place" in last.json()["detail"]
    assert str(folder) not in last.text
    assert (folder.parent / "photos" / "1.jpg").exists(), "photos of the folder are left alone"


def test_writing_needs_a_key_that_may(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(new_key("me", "read")[1].line)
    for keys in (None, tmp_path / "keys"):
        with pytest.raises(ServerError, match="--writable needs a key"):
            serve(folder, ServerSettings(port=0, writable=True, keys=keys))


def test_no_field_of_a_change_is_ignored(writing: httpx.Client, folder: Path, street: Any) -> None:
    photo = {"photo": ("a.jpg", street.query(8))}
    before = open_index(folder).index_id
    for refused in (
        writing.post("/v1/places?latitude=48&longitude=11", files=photo),
        writing.post("/v1/places", files=photo, data={"lat": "48", "lon": "11"}),
        writing.post("/v1/places", files=photo, data={"name": ["a", "b"]}),
        writing.delete("/v1/places/0?keep_photo=true"),
    ):
        assert refused.status_code == 400, refused.text
        assert refused.json()["type"] == "/problems/bad-parameter"
    assert open_index(folder).index_id == before
