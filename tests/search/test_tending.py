"""Tending places over HTTP: editing, listing, removing with undo, and two people at once."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from place_search.indexer import compact_index, declare_fields, open_index
from place_search.models import Model
from place_search_client import AsyncClient, Client, PointOnEarth, ProblemError
from tests.search.replies import problem
from tests.search.writable import index_of_street, writable_server

NAMES = ["east/0.jpg", "east/1.jpg", "west/2.jpg", "west/3.jpg", "4.jpg", "5.jpg"]


@pytest.fixture(scope="module")
def folder(street: Any, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = index_of_street(tmp_path_factory.mktemp("tended"), street, model, NAMES)
    declare_fields(index, {"floor": "number", "seen": "date"})
    return index


@pytest.fixture(scope="module")
def tending(start_server: Callable[..., Any], folder: Path) -> Iterator[httpx.Client]:
    with writable_server(start_server, folder) as server, server.client() as client:
        yield client


def of_name(client: httpx.Client, name: str) -> str:
    """The address of a place."""
    (place,) = (p for p in client.get("/v1/places").json()["places"] if p["name"] == name)
    return f"/v1/places/{place['place_id']}"


def test_a_place_is_named_and_found_by_what_is_said_of_it(
    tending: httpx.Client, street: Any
) -> None:
    place = of_name(tending, "4.jpg")
    before = tending.get(place)
    patch = {
        "name": "Mill ü",
        "note": "by the river",
        "tags": ["water"],
        "fields": {"floor": 2, "seen": "2024-05-31"},
        "position": {"latitude": 48.7, "longitude": 11.7},
    }
    edited = tending.patch(place, json=patch)
    assert edited.status_code == 200, edited.text
    told = edited.json()
    assert {key: told[key] for key in patch} == patch
    after = tending.get(place)
    assert after.json() == told
    assert after.headers["etag"] == edited.headers["etag"] != before.headers["etag"]
    about = tending.get("/v1/index").json()
    assert about["fields"] == {"floor": "number", "seen": "date"}
    assert about["tags"] == {"water": 1}
    for query in ("tag=water", "field=floor:gt:1&field=seen:eq:2024-05-31", "q=RIVER", "q=mill+Ü"):
        found = tending.get(f"/v1/places?{query}").json()
        assert [p["name"] for p in found["places"]] == ["Mill ü"], query
        assert (found["total"], found["next_cursor"]) == (1, None)
    photo = {"photo": ("a", street.query(4))}
    best = tending.post("/v1/search", files=photo).json()["results"][0]
    assert (best["name"], best["position"]) == ("Mill ü", patch["position"])
    dots = tending.get("/v1/places?bbox=11.6,48.6,11.8,48.8").json()
    assert [dot["properties"]["name"] for dot in dots["features"]] == ["Mill ü"]
    taken_back = tending.patch(place, json=dict.fromkeys(patch)).json()
    assert taken_back == before.json()


def test_of_two_who_change_one_place_the_second_is_told(tending: httpx.Client) -> None:
    place = of_name(tending, "5.jpg")
    read = {"If-Match": tending.get(place).headers["etag"]}
    assert tending.patch(place, json={"note": "one"}, headers=read).status_code == 200
    for late in (
        tending.patch(place, json={"note": "two"}, headers=read),
        tending.delete(place, headers=read),
    ):
        assert "read it again" in problem(late, "edit-conflict")["detail"]
    assert tending.get(place).json()["note"] == "one"
    now = {"If-Match": f'"x", {tending.get(place).headers["etag"]}'}
    assert tending.patch(place, json={"note": ""}, headers=now).status_code == 200
    anyway = {"If-Match": "*"}
    assert tending.patch(place, json={"note": ""}, headers=anyway).status_code == 200


@pytest.mark.parametrize(
    ("patch", "name"),
    [
        ({"fields": {"floor": "two"}}, "unfit-value"),
        ({"fields": {"colour": "red"}}, "unfit-value"),
        ({"fields": {"\ud800": "red"}}, "unfit-value"),
        ({"colour": "red"}, "bad-parameter"),
        ({"position": {"latitude": 91, "longitude": 0}}, "unfit-value"),
        ([], "bad-parameter"),
    ],
)
def test_what_cannot_be_said_of_a_place_is_refused(
    tending: httpx.Client, patch: object, name: str
) -> None:
    problem(tending.patch("/v1/places/0", content=json.dumps(patch)), name)


@pytest.mark.parametrize("what", ["", "/group"])
@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b'{"nam": "x", "foo": 1, "name": "y"}', {"nam", "foo"}),
        (b'{"name": "a", "name": "b"}', {"name"}),
        (b'{"name": {"x": 1, "x": 1}}', {"x"}),
        (b'{"\\ud800": 1}', {"?"}),
    ],
)
def test_no_field_of_a_json_body_is_ignored(
    tending: httpx.Client, what: str, body: bytes, wrong: set[str]
) -> None:
    before = tending.get("/v1/places/0").json()
    said = problem(tending.patch(f"/v1/places/0{what}", content=body), "bad-parameter")
    assert {error["name"] for error in said["errors"]} == wrong
    assert tending.get("/v1/places/0").json() == before


def test_a_body_of_many_unknown_fields_is_answered_briefly(tending: httpx.Client) -> None:
    many = {f"field{number}": number for number in range(40_000)}
    said = problem(tending.patch("/v1/places/0", json=many), "bad-parameter")
    assert len(said["errors"]) == 100


@pytest.mark.parametrize("what", ["", "/group"])
def test_a_body_that_would_take_far_more_memory_is_not_read(
    tending: httpx.Client, what: str
) -> None:
    body = b'{"name": [' + b"[]," * (1 << 20) + b"[]]}"
    said = problem(tending.patch(f"/v1/places/0{what}", content=body), "body-too-large")
    assert said["detail"] == "The JSON is larger than 1 MiB, the server's limit; send less."


def test_who_may_not_change_and_what_is_not_there(tending: httpx.Client) -> None:
    problem(tending.patch("/v1/places/99", json={}), "unknown-place")
    problem(tending.post("/v1/places/99/restore"), "unknown-place")
    problem(tending.patch("/v1/places/0", content=b"{"), "bad-parameter")
    problem(tending.patch("/v1/places/0", content=b"[" * 100_000), "bad-parameter")
    none = {"Authorization": ""}
    problem(tending.patch("/v1/places/0", json={}, headers=none), "unauthorized")


def test_a_removed_place_is_restored(
    tending: httpx.Client, folder: Path, encode_photo: Callable[..., bytes], street: Any
) -> None:
    photo = encode_photo(street.photo(9))
    added = tending.post("/v1/places", files={"photo": ("a", photo)}, data={"name": "New"}).json()
    place = f"/v1/places/{added['place_id']}"
    tagged = tending.patch(place, json={"tags": ["kept"]}).json()
    kept = open_index(folder).place(added["place_id"]).path
    assert tending.delete(place).status_code == 204
    removed = {"code": "place-removed", "values": {"place": f"{added['place_id']}"}}
    for refused in (tending.get(place), tending.patch(place, json={})):
        assert problem(refused, "unknown-place")["reason"] == removed
    assert tending.get("/v1/places?tag=kept").json()["total"] == 0
    assert tending.post(f"{place}/restore").json() == tagged | {
        "thumbnail_url": tending.get(place).json()["thumbnail_url"]
    }
    assert tending.post(f"{place}/restore").status_code == 200, "one that is there stays"
    assert tending.get(f"{place}/image").status_code == 200
    assert tending.delete(place).status_code == 204
    assert kept.exists()
    compact_index(folder)
    assert not kept.exists()
    problem(tending.post(f"{place}/restore"), "unknown-place")
    assert "reason" not in problem(tending.get(place), "unknown-place")


def pages(client: httpx.Client, **query: Any) -> list[str]:
    """The names of all places of a listing, page by page."""
    names: list[str] = []
    while True:
        page = client.get("/v1/places", params=query).json()
        names += [place["name"] for place in page["places"]]
        if page["next_cursor"] is None:
            assert len(names) == page["total"]
            return names
        query["cursor"] = page["next_cursor"]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [4, 5, 0, 1, 2, 3]),
        ({"sort": "-id"}, [3, 2, 1, 0, 5, 4]),
        ({"sort": "name"}, [4, 5, 0, 1, 2, 3]),
        ({"sort": "-name"}, [3, 2, 1, 0, 5, 4]),
        ({"sort": "taken"}, [4, 5, 0, 1, 2, 3]),
        ({"folder": "east"}, [0, 1]),
        ({"folder": "west", "sort": "-name"}, [3, 2]),
        ({"q": "WEST"}, [2, 3]),
        ({"taken_from": "2024-01-01"}, []),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_pages_hold_each_place_once(
    tending: httpx.Client, query: dict[str, Any], numbers: list[int], limit: int
) -> None:
    assert pages(tending, limit=limit, **query) == [NAMES[number] for number in numbers]


def test_a_page_says_that_names_have_changed_since(tending: httpx.Client) -> None:
    first = tending.get("/v1/places", params={"limit": 1, "sort": "name"}).json()
    onward = {"limit": 1, "sort": "name", "cursor": first["next_cursor"]}
    assert not tending.get("/v1/places", params=onward).json()["changed"]
    place = f"/v1/places/{first['places'][0]['place_id']}"
    assert tending.patch(place, json={"name": "zz"}).status_code == 200
    assert tending.get("/v1/places", params=onward).json()["changed"]
    assert tending.patch(place, json={"name": None}).status_code == 200


@pytest.mark.parametrize("sort", ["id", "name", "-name"])
def test_pages_stay_stable_while_places_come_and_go(
    tending: httpx.Client, encode_photo: Callable[..., bytes], street: Any, sort: str
) -> None:
    first = tending.get("/v1/places", params={"limit": 3, "sort": sort}).json()
    photo = {"photo": ("a", encode_photo(street.photo(10)))}
    added = tending.post("/v1/places", files=photo, data={"name": "0 first"}).json()
    gone = f"/v1/places/{first['places'][1]['place_id']}"
    assert tending.delete(gone).status_code == 204
    rest = tending.get(
        "/v1/places", params={"limit": 100, "sort": sort, "cursor": first["next_cursor"]}
    ).json()
    assert rest["changed"], "the cursor is of an older version, and the reply says so"
    ids = [place["place_id"] for page in (first, rest) for place in page["places"]]
    assert len(ids) == len(set(ids))
    assert len(set(ids) - {added["place_id"]}) == len(NAMES)
    assert tending.post(f"{gone}/restore").status_code == 200
    assert tending.delete(f"/v1/places/{added['place_id']}").status_code == 204


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("cursor=nonsense", "begin anew"),
        ("cursor=W10", "begin anew"),
        ("sort=size", "one of id, -id"),
        ("limit=1001", "at most 1000"),
        ("limit=0", "must be at least 1"),
        ("field=floor:is:3", "name:comparison:value"),
        ("field=height:eq:3", "no own field 'height'"),
        ("taken_from=may", "no date or time"),
        ("bbox=1,1,2,2&tag=a", "bbox goes with limit only"),
        ("tags=a", "no such field"),
    ],
)
def test_a_listing_that_cannot_be_understood_is_refused(
    tending: httpx.Client, query: str, said: str
) -> None:
    assert said in problem(tending.get(f"/v1/places?{query}"), "bad-parameter")["detail"]


def test_a_cursor_of_another_listing_is_refused(tending: httpx.Client) -> None:
    cursor = tending.get("/v1/places?limit=1").json()["next_cursor"]
    refused = tending.get("/v1/places", params={"cursor": cursor, "sort": "name"})
    assert "another sort or filter" in problem(refused, "bad-parameter")["detail"]


def test_the_client_tends_places(
    tending: httpx.Client, street: Any, encode_photo: Callable[..., bytes], tmp_path: Path
) -> None:
    key = tending.headers["authorization"].removeprefix("Bearer ")
    photo = tmp_path / "one.jpg"
    photo.write_bytes(encode_photo(street.photo(14)))
    with Client(str(tending.base_url), key=key) as client:
        whole = client.compare(photo, street.query(14))
        assert whole.result == "same"
        assert client.compare(photo, street.query(14), box=(0, 0, 99, 99)) != whole
        added = client.add(photo, position=(48.25, 11.25), name="One")
        assert added.position is not None
        assert (added.name, added.position.latitude) == ("One", 48.25)
        place, etag = client.place_with_etag(added.place_id)
        assert place == client.place(added.place_id)
        assert asdict(added) == asdict(place) | {"notes": []}
        said = client.edit(added.place_id, etag=etag, tags=["client"], position=(48.5, 11.5))
        assert said.tags == ["client"]
        assert said.position is not None
        assert said.position.longitude == 11.5
        with pytest.raises(ProblemError) as late:
            client.remove(added.place_id, etag=etag)
        assert late.value.type == "/problems/edit-conflict"
        assert [p.place_id for p in client.places(tag=["client"])] == [added.place_id]
        every = list(client.places(page=2, sort="-id"))
        assert len(every) == len({p.place_id for p in every}) == len(NAMES) + 1
        client.remove(added.place_id)
        assert client.restore(added.place_id).tags == ["client"]
        many = client.add_many([photo, street.query(0)[:2000]])
        assert [p.status for p in many.photos] == [200, 422]
        assert many.photos[0].place is not None
        assert many.photos[0].place.place_id == added.place_id
        assert [index.status for index in client.indexes()] == ["ready"]
        client.remove(added.place_id)


def test_the_client_tends_places_for_asyncio(
    tending: httpx.Client, street: Any, encode_photo: Callable[..., bytes]
) -> None:
    key = tending.headers["authorization"].removeprefix("Bearer ")
    photo = encode_photo(street.photo(15))

    async def tend() -> None:
        async with AsyncClient(str(tending.base_url), key=key) as client:
            whole = await client.compare(photo, street.query(15))
            assert whole.result == "same"
            assert await client.compare(photo, street.query(15), box=(0, 0, 99, 99)) != whole
            added = await client.add(photo, name="Two")
            _, etag = await client.place_with_etag(added.place_id)
            said = await client.edit(added.place_id, etag=etag, note="n", fields={"floor": 1})
            assert (said.note, said.fields) == ("n", {"floor": 1})
            found = [p.name async for p in client.places(page=2, q="two")]
            assert found == ["Two"]
            await client.remove(added.place_id)
            assert (await client.restore(added.place_id)).note == "n"
            assert (await client.add_many([photo])).known == 1
            assert (await client.indexes())[0].places == len(NAMES) + 1
            await client.remove(added.place_id)

    asyncio.run(tend())


def test_the_client_takes_numbers_of_numpy(
    tending: httpx.Client, street: Any, encode_photo: Callable[..., bytes]
) -> None:
    key = tending.headers["authorization"].removeprefix("Bearer ")
    degrees: Any = np.array([48.25, 11.25])
    with Client(str(tending.base_url), key=key) as client:
        added = client.add(encode_photo(street.photo(16)), position=tuple(degrees), name="Three")
        assert added.position == PointOnEarth(48.25, 11.25)
        place = np.array([added.place_id])
        fields: Any = {"floor": np.float32(2)}
        said = client.edit(place[0], position=degrees + 0.25, fields=fields)
        assert (said.position, said.fields) == (PointOnEarth(48.5, 11.5), {"floor": 2})
        assert client.change_group(0, add=place).place_ids == [0, added.place_id]
        assert client.change_group(0, remove=place).place_ids == [0]
        for wrong in ((48.25,), "48.25,11.25", ()):
            with pytest.raises(ValueError, match="position is the numbers latitude, longitude"):
                client.edit(0, position=wrong)  # type: ignore[arg-type]
        client.remove(place[0])
