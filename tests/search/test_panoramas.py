"""A 360° panorama as a query, and as places: the right spot comes back, and where it looks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from place_search.indexer import VideoRequest, build_index, open_index, open_source
from place_search.models import Model
from place_search.photos import PhotoBox
from place_search.photos.panorama import NO_SPHERE, UNMARKED
from place_search.search.engine import Engine
from place_search.search.several.views import TAKEN_WHOLE
from place_search_client import AsyncClient, Client
from tests.panoramas import Pixels, gpano, looking, panorama, photo, scene, sizes
from tests.search.conftest import RunningServer, StartServer
from tests.search.writable import index_of_street, writable_server
from tests.waiting import SECONDS

HEADINGS = (0.0, 30.0, 77.0, 341.0)
HALF_A_STEP = 15


@pytest.fixture(scope="module")
def folder(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of four panoramas and one that does not say how it was held."""
    data, out = tmp_path_factory.mktemp("panoramas"), tmp_path_factory.mktemp("index") / "i"
    for seed, heading in enumerate(HEADINGS):
        (data / f"{seed}.jpg").write_bytes(panorama(seed, heading))
    (data / "4.jpg").write_bytes(panorama(4))
    build_index(open_source(data, None, VideoRequest(out)), out, model)
    return out


@pytest.fixture(scope="module")
def around(folder: Path, model: Model) -> Engine:
    return Engine(open_index(folder), model)


@pytest.fixture(scope="module")
def ahead(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """An index of photos that look one way, on the spots of the panoramas and elsewhere."""
    data, out = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("index") / "i"
    for seed in (0, 1, 2, 3, *range(100, 120)):
        (data / f"{seed}.jpg").write_bytes(photo(looking(scene(seed), 100)))
    build_index(open_source(data, None, VideoRequest(out)), out, model)
    return Engine(open_index(out), model)


@pytest.fixture
def writing(
    tmp_path: Path, street: Any, model: Model, start_server: StartServer
) -> Iterator[httpx.Client]:
    folder = index_of_street(tmp_path, street, model, ["0.jpg"])
    with writable_server(start_server, folder) as server, server.client() as client:
        yield client


@pytest.fixture(scope="module")
def panoramas(folder: Path, start_server: StartServer) -> RunningServer:
    return start_server(folder, measured=False)


@pytest.fixture
def web(panoramas: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=panoramas.address, timeout=SECONDS) as client:
        yield client


def turned(seed: int, degrees: float) -> Pixels:
    """The sphere of another camera on the same spot, whose middle looks so far to the right."""
    sphere = scene(seed)
    return np.roll(sphere, -round(sphere.shape[1] * degrees / 360), axis=1)


def apart(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("yaw", [10.0, 111.0, 198.0, 290.0])
def test_a_photo_finds_its_panorama_and_where_it_looks(
    around: Engine, seed: int, yaw: float
) -> None:
    found = around.search(photo(looking(scene(seed), yaw)))
    best = found.results[0]
    assert found.match.verdict == "found"
    assert best.name.startswith(f"{seed}.jpg#heading=")
    assert best.heading is not None
    assert apart(best.heading, HEADINGS[seed] + yaw) <= HALF_A_STEP
    assert (best.query_view, found.query.views) == (None, ())
    assert best.group is not None
    assert best.group.photos == 12


@pytest.mark.parametrize("verify", [True, False])
def test_a_panorama_finds_the_same_spot_as_a_panorama(around: Engine, verify: bool) -> None:
    query = photo(turned(3, 70), gpano(**sizes(2048, 1024), PoseHeadingDegrees=(341 + 70) % 360))
    found = around.search(query, verify=verify)
    assert [view.heading for view in found.query.views] == [(51 + 30 * n) % 360 for n in range(12)]
    ids = [result.place_id for result in found.results]
    assert len(ids) == len(set(ids))
    if verify:
        assert found.match.verdict == "found"
        assert found.match.probability == found.results[0].probability
    for best in found.results[:3]:
        assert best.name.startswith("3.jpg#")
        assert best.heading is not None
        assert best.query_view is not None
        assert best.query_view.heading is not None
        # Similarity alone may take the view beside.
        within = HALF_A_STEP if verify else 30
        assert apart(best.heading, best.query_view.heading) <= within


def test_a_panorama_finds_a_photo_that_looks_one_way(ahead: Engine) -> None:
    for seed, heading in enumerate(HEADINGS):
        found = ahead.search(panorama(seed, heading))
        assert (found.match.verdict, found.results[0].name) == ("found", f"{seed}.jpg")
        view = found.results[0].query_view
        assert view is not None
        assert view.heading is not None
        assert view.yaw == 90
        assert apart(view.heading, heading + 100) <= HALF_A_STEP
        assert found.results[0].heading is None


def test_panoramas_of_unknown_spots_stay_unknown(ahead: Engine, around: Engine) -> None:
    for engine in (ahead, around):
        for seed in (50, 51):
            found = engine.search(panorama(seed, 0.0))
            assert found.match.verdict == "not_found"
            assert found.location is None


def test_without_a_heading_there_is_the_yaw(around: Engine) -> None:
    found = around.search(photo(turned(4, 50), gpano(**sizes(2048, 1024))))
    best = found.results[0]
    assert best.name.startswith("4.jpg#yaw=")
    assert best.heading is None
    assert best.query_view is not None
    assert best.query_view.heading is None
    assert apart(best.query_view.yaw + 50, float(best.name[-3:])) <= HALF_A_STEP


def test_a_photo_of_2_to_1_is_cut_where_that_is_asked(around: Engine) -> None:
    query = photo(scene(1))
    plain = around.search(query)
    assert plain.query.views == ()
    assert any(note.startswith(UNMARKED) for note in plain.query.notes)
    asked = around.search(query, panorama=True)
    assert len(asked.query.views) == 12
    assert asked.match.verdict == "found"
    assert asked.results[0].name.startswith("1.jpg#")
    never = around.search(panorama(1), panorama=False)
    assert (never.query.views, never.query.notes) == ((), ())


@pytest.mark.parametrize("asked", [None, True])
def test_a_box_and_several_photos_are_searched_whole(around: Engine, asked: bool | None) -> None:
    query = panorama(2, 77.0)
    for found in (
        around.search(query, box=PhotoBox(800, 300, 400, 300), panorama=asked),
        around.search([query, photo(looking(scene(2), 0))], panorama=asked),
    ):
        assert found.query.views == ()
        assert {result.query_view for result in found.results} == {None}
        assert (TAKEN_WHOLE in found.query.notes) is bool(asked)
    assert found.results[0].name.startswith("2.jpg#")


def test_a_photo_that_is_no_panorama_is_not_cut(around: Engine) -> None:
    found = around.search(photo(looking(scene(2), 0)), panorama=True)
    assert found.query.views == ()
    assert NO_SPHERE in found.query.notes


def test_filters_and_notes_are_those_of_one_query(around: Engine) -> None:
    from place_search.core.geodesy import Position

    found = around.search(panorama(0, 0.0), near=Position(10, 10), radius_m=5)
    assert found.results == ()
    assert found.query.notes == ("No place with a position lies within 5 m of 10,10.",)


def test_over_http_the_views_come_back(web: httpx.Client, around: Engine) -> None:
    query = panorama(1, 120.0)
    reply = web.post("/v1/search", files={"photo": ("p.jpg", query)}).json()
    here = around.search(query).to_dict()
    assert reply["query"]["views"] == here["query"]["views"]
    # A busy machine verifies fewer of the views in time, of which another may then be the best.
    best = reply["results"][0]
    assert best["name"].startswith("1.jpg#")
    assert best["query_view"] in [
        {key: view[key] for key in ("yaw", "heading")} for view in reply["query"]["views"]
    ]
    # The panorama says 120 of what looked to 30 when it was indexed.
    assert apart(best["query_view"]["heading"], best["heading"] + 90) <= HALF_A_STEP
    place = web.get(f"/v1/places/{best['place_id']}").json()
    assert place["heading"] == best["heading"]
    assert web.get(best["image_url"]).headers["content-type"] == "image/jpeg"
    asked = {"panorama": "false"}
    whole = web.post("/v1/search", params=asked, files={"photo": ("p.jpg", query)}).json()
    assert whole["query"]["views"] == []
    assert {result["query_view"] for result in whole["results"]} == {None}


async def _asked(address: str, query: bytes) -> Any:
    async with AsyncClient(address) as client:
        return await client.search(query, panorama=True)


def test_the_clients_ask_and_read_it(panoramas: RunningServer) -> None:
    import asyncio

    query = photo(scene(3))
    with Client(panoramas.address) as client:
        found = client.search(query, panorama=True)
        assert client.place(found.results[0].place_id).heading == found.results[0].heading
    assert len(found.query.views) == 12
    assert found.results[0].query_view is not None
    assert found.results[0].query_view.heading is None
    assert asyncio.run(_asked(panoramas.address, query)).results == found.results


def test_a_panorama_that_is_added_is_its_views(writing: httpx.Client) -> None:
    content = panorama(0, 30.0)
    where = {"latitude": "48.1", "longitude": "11.5", "name": "Gate"}
    for status in (201, 200):  # the second time it is there already
        reply = writing.post("/v1/places", files={"photo": ("p.jpg", content)}, data=where)
        assert reply.status_code == status, reply.text
        assert reply.json()["name"] == "Gate#heading=030"
        assert reply.json()["heading"] == 30
    group = writing.get(f"/v1/places/{reply.json()['place_id']}/group").json()
    assert [place["heading"] for place in group["places"]] == [
        (30 + 30.0 * n) % 360 for n in range(12)
    ]
    assert {place["position"]["latitude"] for place in group["places"]} == {48.1}
    assert writing.get("/v1/index").json()["places"] == 13
    query = photo(looking(scene(0), 95))
    found = writing.post("/v1/search", files={"photo": ("q.jpg", query)}).json()
    assert found["match"]["verdict"] == "found"
    assert found["results"][0]["name"] == "Gate#heading=120"
    assert writing.get(found["results"][0]["image_url"]).status_code == 200
    assert writing.delete(f"/v1/places/{found['results'][0]['place_id']}").status_code == 204
    assert writing.get("/v1/index").json()["places"] == 12


@pytest.mark.parametrize("many", [False, True])
def test_a_panorama_without_metadata_is_cut_where_that_is_asked(
    writing: httpx.Client, many: bool
) -> None:
    address, sent = "/v1/places" + "/bulk" * many, {"photo": ("p.jpg", photo(scene(1)))}
    for asked, places in (("false", 2), ("true", 2 + 12)):
        reply = writing.post(address, files=sent, data={"panorama": asked})
        assert reply.is_success, reply.text
        assert writing.get("/v1/index").json()["places"] == places
    place = reply.json()["photos"][0]["place"] if many else reply.json()
    assert place["name"].endswith("#yaw=000")
    assert writing.post("/v1/places", files=sent, data={"panorama": "perhaps"}).status_code == 400
    plain = {"photo": ("q.jpg", photo(looking(scene(2), 0)))}
    told = writing.post(address, files=plain, data={"panorama": "true"}).json()
    assert (told["photos"][0] if many else told)["notes"] == [NO_SPHERE]
    assert writing.get("/v1/index").json()["places"] == 15, "a photo of 4:3 is no panorama"
    key = writing.headers["authorization"].removeprefix("Bearer ")
    with Client(str(writing.base_url), key=key) as client:
        if many:
            assert client.add_many([panorama(3, 0.0)], panorama=False).added == 1
        else:
            assert "#" not in client.add(panorama(3, 0.0), panorama=False).name
    assert writing.get("/v1/index").json()["places"] == 16


def test_several_photos_may_hold_panoramas(writing: httpx.Client, street: Any) -> None:
    sent = [
        ("photo", ("a.jpg", panorama(1, 0.0))),
        ("photo", ("b.jpg", street.query(3))),
        ("photo", ("c.jpg", b"none")),
        ("photo", ("d.jpg", panorama(2))),
        ("photo", ("e.jpg", photo(scene(3)))),
    ]
    reply = writing.post("/v1/places/bulk", files=sent).json()
    assert (reply["added"], reply["known"], reply["refused"]) == (4, 0, 1)
    names = [told["place"] and told["place"]["name"] for told in reply["photos"]]
    assert names == ["a.jpg#heading=000", "b.jpg", None, "d.jpg#yaw=000", "e.jpg"]
    assert writing.get("/v1/index").json()["places"] == 1 + 12 + 1 + 12 + 1
    groups = writing.get("/v1/groups").json()["groups"]
    assert [group["photos"] for group in groups] == [12, 12]
