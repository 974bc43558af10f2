"""Groups over HTTP: listed, named, put together and parted; who may, and two at once."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from place_search.indexer import build_index, open_index, open_source
from place_search.models import Model
from place_search.search.engine import Engine
from place_search.search.server.keys import new_key
from place_search.search.verification import Candidates, Query, Ranking, rank_by_geometry
from place_search_client import AsyncClient, Client, ProblemError
from tests.search.replies import problem

PLACES = 6


@pytest.fixture(scope="module")
def folder(street: Any, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("grouped")
    (base / "photos").mkdir()
    for place in range(PLACES):
        (base / "photos" / f"{place}.jpg").write_bytes(street.query(place))
    build_index(open_source(base / "photos"), base / "index", model)
    return base / "index"


@pytest.fixture(scope="module")
def secrets(folder: Path) -> dict[str, str]:
    made = {role: new_key(role, role) for role in ("write", "read")}
    (folder.parent / "keys").write_text("\n".join(key.line for _, key in made.values()))
    return {role: secret for role, (secret, _) in made.items()}


@pytest.fixture(scope="module")
def tending(
    start_server: Callable[..., Any], folder: Path, secrets: dict[str, str]
) -> Iterator[httpx.Client]:
    keys = str(folder.parent / "keys")
    server = start_server(folder, "--writable", "--public", "--keys", keys)
    headers = {"Authorization": f"Bearer {secrets['write']}"}
    with httpx.Client(base_url=server.address, headers=headers, timeout=60) as client:
        yield client
    assert server.stop() == 0
    assert "Traceback" not in server.text(), server.text()


@pytest.fixture(autouse=True)
def parted(tending: httpx.Client) -> None:
    """All places apart, without names."""
    for group in tending.get("/v1/groups").json()["groups"]:
        first, *others = group["place_ids"]
        for place in others:
            patch = {"remove": [place]}
            assert tending.patch(f"/v1/places/{first}/group", json=patch).status_code == 200
        tending.patch(f"/v1/places/{first}/group", json={"name": None})


def test_photos_are_put_together_named_and_parted(tending: httpx.Client, folder: Path) -> None:
    alone = tending.get("/v1/places/0/group").json()
    assert (alone["id"], alone["name"], alone["photos"], alone["place_ids"]) == (0, None, 1, [0])
    changed = tending.patch("/v1/places/0/group", json={"name": "Gate", "add": [2, 4]})
    assert changed.status_code == 200, changed.text
    told = changed.json()
    assert (told["id"], told["name"], told["held"], told["photos"]) == (0, "Gate", True, 3)
    assert [place["name"] for place in told["places"]] == ["0.jpg", "2.jpg", "4.jpg"]
    read = tending.get("/v1/places/4/group")
    assert read.json() == told
    assert read.headers["etag"] == changed.headers["etag"]
    assert open_index(folder).groups.members(0).tolist() == [0, 2, 4]
    left = tending.patch("/v1/places/4/group", json={"remove": [0]}).json()
    assert (left["id"], left["name"], left["place_ids"]) == (2, "Gate", [2, 4])
    assert tending.get("/v1/places/0/group").json()["name"] is None


@pytest.mark.parametrize("verify", [True, False])
def test_a_search_counts_spots_where_it_is_asked_to(
    tending: httpx.Client, secrets: dict[str, str], street: Any, verify: bool
) -> None:
    tending.patch("/v1/places/0/group", json={"add": [1, 2, 3]})

    def found(**asked: Any) -> list[int]:
        with Client(str(tending.base_url), key=secrets["read"]) as client:
            answer = client.search(street.query(0), verify=verify, **asked)
        return [result.place_id for result in answer.results]

    every = found(k=PLACES)
    spots = [0 if place < 4 else place for place in every]
    for k in range(1, 4):
        assert found(k=k) == every[:k]
        last = spots.index(list(dict.fromkeys(spots))[k - 1])
        assert found(k=k, spots=True) == every[: last + 1]
    assert found(k=4, spots=True) == every  # there are three spots


def test_spots_are_found_though_geometry_puts_one_first(
    tending: httpx.Client,
    folder: Path,
    model: Model,
    street: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tending.patch("/v1/places/2/group", json={"add": [3, 4, 5]})
    index = open_index(folder)
    places = {index.codes(place)[0].tobytes(): place for place in range(PLACES)}

    def one_spot_first(query: Query, candidates: Candidates, k: int, **more: Any) -> Ranking:
        ranking = rank_by_geometry(query, candidates, k, **more)
        ids = {row: places[candidates.codes(row)[0].tobytes()] for row in ranking.order}
        order = sorted(ranking.order, key=lambda row: (ids[row] < 2, ids[row] == 0))
        scores = {row: float(len(order) - at) for at, row in enumerate(order)}
        scored = {
            row: verification._replace(score=scores[row])
            for row, verification in ranking.verifications.items()
        }
        return ranking._replace(order=order, verifications=scored)

    monkeypatch.setattr(sys.modules[Engine.__module__], "rank_by_geometry", one_spot_first)
    found = Engine(index, model).search(street.query(0), k=2, spots=True)
    assert {result.place_id for result in found.results[:-1]} == {2, 3, 4, 5}
    assert found.results[-1].place_id == 1


def test_places_are_listed_by_their_spots(tending: httpx.Client, secrets: dict[str, str]) -> None:
    tending.patch("/v1/places/1/group", json={"add": [4], "name": "Gate"})
    with Client(str(tending.base_url), key=secrets["read"]) as client:
        every = list(client.places())
        assert [place.place_id for place in every] == list(range(PLACES))
        told = {place.place_id: place.group for place in every if place.group}
        assert {(group.id, group.name, group.photos) for group in told.values()} == {(1, "Gate", 2)}
        assert set(told) == {1, 4}
        # The same places, whatever the pages and the order.
        for order in ("id", "name", "-id", "-name"):
            for page in (1, 2, 100):
                listed = [
                    place.place_id for place in client.places(page=page, sort=order, spots=True)
                ]
                # By the place of the spot that comes first in that order, or the spot's name.
                wanted = {
                    "id": [0, 1, 2, 3, 5],
                    "-id": [5, 4, 3, 2, 0],
                    "name": [0, 2, 3, 5, 1],
                    "-name": [4, 5, 3, 2, 0],
                }
                assert listed == wanted[order]
        # Of those that fit, the first.
        assert [place.place_id for place in client.places(q="GATE", spots=True)] == [1]
        assert [place.place_id for place in client.places(q="gate")] == [1, 4]
        assert [place.place_id for place in client.places(q="4.jpg", spots=True)] == [4]
    page = tending.get("/v1/places", params={"spots": True, "limit": 2}).json()
    assert page["total"] == PLACES - 1
    after = {"spots": True, "limit": 2, "cursor": page["next_cursor"]}
    assert not tending.get("/v1/places", params=after).json()["changed"]
    assert tending.delete("/v1/places/1").status_code == 204
    rest = tending.get("/v1/places", params=after).json()
    assert [place["place_id"] for place in rest["places"]] == [2, 3], "all others once"
    assert rest["changed"], "the spot of 1 may come again"
    gone = tending.patch("/v1/places/0/group", json={"add": [1]})
    assert problem(gone, "unknown-place")["reason"]["code"] == "place-removed"
    assert tending.post("/v1/places/1/restore").status_code == 200
    tending.patch("/v1/places/1/group", json={"add": [5]})
    assert tending.get("/v1/places", params=after).json()["changed"]
    problem(
        tending.get("/v1/places", params={"limit": 2, "cursor": page["next_cursor"]}),
        "bad-parameter",
    )


def test_what_is_so_already_is_not_changed(tending: httpx.Client, folder: Path) -> None:
    patch = {"name": "Gate", "add": [1]}
    first = tending.patch("/v1/places/0/group", json=patch)
    before = (folder / "manifest.json").stat()
    again = tending.patch("/v1/places/0/group", json=patch)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["etag"] == first.headers["etag"]
    assert (folder / "manifest.json").stat().st_mtime_ns == before.st_mtime_ns


def test_only_what_is_in_a_group_is_removed_from_it(tending: httpx.Client) -> None:
    tending.patch("/v1/places/0/group", json={"add": [1]})
    for patch in ({"remove": [3]}, {"name": "Gate", "remove": [1, 3]}):
        said = problem(tending.patch("/v1/places/0/group", json=patch), "bad-parameter")
        assert said["detail"].startswith("Place 3 is not in the group of place 0")
    both = {"add": [2, 1], "remove": [1]}
    said = problem(tending.patch("/v1/places/0/group", json=both), "bad-parameter")
    assert said["detail"].startswith("Place 1 is to be added to the group and removed")
    told = tending.get("/v1/places/0/group").json()
    assert (told["name"], told["place_ids"]) == (None, [0, 1])


def test_groups_are_listed_page_by_page(tending: httpx.Client) -> None:
    assert tending.get("/v1/groups").json()["groups"] == []
    tending.patch("/v1/places/0/group", json={"add": [1]})
    tending.patch("/v1/places/2/group", json={"add": [3]})
    tending.patch("/v1/places/5/group", json={"name": "Alone"})
    page = tending.get("/v1/groups?limit=2").json()
    assert [group["place_ids"] for group in page["groups"]] == [[0, 1], [2, 3]]
    assert page["total"] == 3
    rest = tending.get("/v1/groups", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [(group["name"], group["photos"]) for group in rest["groups"]] == [("Alone", 1)]
    assert rest["next_cursor"] is None
    problem(tending.get("/v1/groups?cursor=x"), "bad-parameter")
    problem(tending.get("/v1/groups?limit=0"), "bad-parameter")


def test_of_two_who_change_one_group_the_second_is_told(tending: httpx.Client) -> None:
    read = {"If-Match": tending.get("/v1/places/0/group").headers["etag"]}
    one = tending.patch("/v1/places/0/group", json={"add": [1]}, headers=read)
    assert one.status_code == 200
    late = tending.patch("/v1/places/0/group", json={"add": [2]}, headers=read)
    assert "read it again" in problem(late, "edit-conflict")["detail"]
    assert tending.get("/v1/places/0/group").json()["place_ids"] == [0, 1]


@pytest.mark.parametrize(
    ("place", "patch", "name"),
    [
        (77, {"name": "x"}, "unknown-place"),
        (0, {"add": [77]}, "unknown-place"),
        (0, {"remove": [0]}, "bad-parameter"),
        (0, {"name": "x" * 201}, "unfit-value"),
        (0, {"name": "x\ny"}, "unfit-value"),
        (0, {"name": 3}, "unfit-value"),
        (0, {"add": 1}, "unfit-value"),
        (0, {"add": [True]}, "unfit-value"),
        (0, {"colour": "red"}, "bad-parameter"),
        (0, [], "bad-parameter"),
    ],
)
def test_what_cannot_be_is_said(tending: httpx.Client, place: int, patch: Any, name: str) -> None:
    problem(tending.patch(f"/v1/places/{place}/group", json=patch), name)


def test_who_may_change_is_told_beforehand(
    tending: httpx.Client, secrets: dict[str, str], client: httpx.Client
) -> None:
    def changes(headers: dict[str, str]) -> str:
        (index,) = tending.get("/v1/indexes", headers=headers).json()["indexes"]
        return str(index["changes"])

    assert changes({}) == "allowed"
    for headers in ({"Authorization": ""}, {"Authorization": f"Bearer {secrets['read']}"}):
        assert changes(headers) == "needs_key"
        refused = tending.patch("/v1/places/0/group", json={"add": [1]}, headers=headers)
        assert refused.status_code in (401, 403)
    (index,) = client.get("/v1/indexes").json()["indexes"]
    assert index["changes"] == "never", "without --writable"
    problem(client.patch("/v1/places/0/group", json={"add": [1]}), "method-not-allowed")


def test_the_clients_change_groups(tending: httpx.Client, secrets: dict[str, str]) -> None:
    with Client(str(tending.base_url), key=secrets["write"]) as client:
        made = client.change_group(0, name="Gate", add=[1])
        assert (made.name, made.place_ids) == ("Gate", [0, 1])
        assert client.group(1) == made
        assert [group.name for group in client.groups(page=1)] == ["Gate"]

    async def ask() -> None:
        async with AsyncClient(str(tending.base_url), key=secrets["write"]) as client:
            assert await client.group(1) == made
            _, etag = await client.group_with_etag(1)
            left = await client.change_group(0, remove={1})
            assert left.place_ids == [0]
            with pytest.raises(ProblemError, match=r"meanwhile|changed"):
                await client.change_group(1, name="late", etag=etag)
            assert [group.id async for group in client.groups()] == [0]

    asyncio.run(ask())
