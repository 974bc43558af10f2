"""Places like one of the index: without itself, without its own spot, and with filters."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from place_search.core.geodesy import Position
from place_search.indexer import Index, build_index, change_groups, open_index, open_source
from place_search.models import Model
from place_search.search import by_descriptor
from place_search.search.by_descriptor import DescriptorSearch
from place_search.search.engine import Engine
from place_search.search.errors import ParameterError
from place_search.search.groups.by_hand import GroupEdit
from place_search.search.index_calibration import ChosenCalibration
from place_search.search.probability import borrowed_calibration
from place_search.search.several.views import Where
from place_search.search.similar import similar_places
from place_search_client import AsyncClient, Client
from tests.search.conftest import PLACES, RunningServer
from tests.search.replies import RESULT_KEYS, problem


@pytest.fixture(scope="module")
def grouped(street: Any, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Places 0 and 1 are one spot, seen twice; 2 to 4 are others, in a folder of their own."""
    base = tmp_path_factory.mktemp("similar")
    for name, place in (("0", 0), ("1", 0), ("far/2", 2), ("far/3", 3), ("far/4", 4)):
        path = base / "photos" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(street.query(place) if name == "1" else street.query(place) + b"\0")
    build_index(open_source(base / "photos"), base / "index", model)
    change_groups(base / "index", GroupEdit(0, "Spot", add=[1]).changed)
    return Engine(open_index(base / "index"), model)


def test_a_place_is_not_like_itself_and_the_order_is_that_of_the_descriptors(
    client: httpx.Client, index: Index
) -> None:
    found = client.get("/v1/places/3/similar", params={"k": PLACES - 1})
    assert found.status_code == 200, found.text
    told = found.json()
    assert (told["index_id"], told["place_id"], told["notes"]) == (index.index_id, 3, [])
    stored = index.descriptors().take(index.place_ids * 0 + range(PLACES))
    cosines = stored @ stored[3]
    by_cosine = sorted((place for place in range(PLACES) if place != 3), key=lambda p: -cosines[p])
    assert [result["place_id"] for result in told["results"]] == by_cosine
    assert [result["rank"] for result in told["results"]] == list(range(1, PLACES))
    for result in told["results"]:
        assert set(result) == RESULT_KEYS
        assert result["verified"] is None
        assert result["similarity"] == pytest.approx(cosines[result["place_id"]], abs=1e-5)
    name = client.get("/v1/indexes").json()["indexes"][0]["name"]
    below = client.get(f"/v1/indexes/{name}/places/3/similar").json()["results"]
    assert below[0]["image_url"].startswith(f"/v1/indexes/{name}/v1/places/")


def test_a_spot_of_thousands_of_photos_is_not_searched_through(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = DescriptorSearch(index, ChosenCalibration(borrowed_calibration(), ()))
    descriptor = index.descriptors().take(np.array([3]))[0]
    spot = [3, 2, 1]
    few = engine.hits(descriptor, 2, Where(), [], without=spot)
    sought: list[int] = []
    search = type(index._store).search

    def counted(self: Any, query: Any, k: int, **options: Any) -> Any:
        sought.append(k)
        return search(self, query, k, **options)

    monkeypatch.setattr(type(index._store), "search", counted)
    monkeypatch.setattr(by_descriptor, "_MOST_DROPPED", 2)
    many = engine.hits(descriptor, 2, Where(), [], without=spot)
    assert sought == [4]  # three more would be found and dropped
    assert many[:2] == few[:2]
    where = Where(Position(40.0, -3.7), 2e7)
    near = engine.hits(descriptor, PLACES, where, [], without=[*range(1, PLACES)])
    assert [hit.place_id for hit in near] == [0]


def test_its_own_spot_is_left_out_unless_asked_for(grouped: Engine) -> None:
    others = similar_places(grouped, 0, k=2)
    assert {result.place_id for result in others.results} <= {2, 3, 4}
    assert len(others.results) == 2
    every = similar_places(grouped, 0, same_spot=True)
    assert every.results[0].place_id == 1
    assert every.results[0].group is not None
    assert len(every.results) == 4


def test_a_blank_place_is_no_place_like_another(street: Any, model: Model, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for place in range(4):
        (photos / f"{place}.jpg").write_bytes(street.query(place))
    for name, grey in (("x", 3), ("y", 2)):
        Image.new("RGB", (320, 240), (grey, grey, grey)).save(photos / f"{name}.jpg")
    build_index(open_source(photos), tmp_path / "index", model)
    found = similar_places(Engine(open_index(tmp_path / "index"), model), 4).results
    assert found[0].name == "y.jpg"
    assert found[0].similarity > 0.98
    assert max(result.probability or 0.0 for result in found) < 0.5


def test_filters_leave_out_places_and_say_when_none_is_left(client: httpx.Client) -> None:
    around = {"near": "48.001,11.5", "radius_m": "130"}
    near = client.get("/v1/places/1/similar", params=around).json()
    assert {result["place_id"] for result in near["results"]} == {0, 2}
    none = client.get("/v1/places/1/similar?folder=nowhere").json()
    assert none["results"] == []
    assert none["notes"] == ["No place fits all filters; leave one of them out."]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("77/similar", "unknown-place"),
        ("x/similar", "unknown-place"),
        ("1/similar?k=0", "bad-parameter"),
        ("1/similar?k=101", "bad-parameter"),
        ("1/similar?near=48,11", "bad-parameter"),
        ("1/similar?verify=true", "bad-parameter"),
    ],
)
def test_what_cannot_be_is_said(client: httpx.Client, asked: str, name: str) -> None:
    problem(client.get(f"/v1/places/{asked}"), name)


def test_python_is_told_of_a_wrong_number(engine: Engine) -> None:
    with pytest.raises(ParameterError, match="from 1 to 100"):
        similar_places(engine, 0, k=0)


def test_the_clients_ask_for_them(server: RunningServer, tmp_path: Path) -> None:
    with Client(server.address) as client:
        found = client.similar(3, k=2)
        beside = client.similar(3, near=(40.0, -3.7), radius_m=20_000_000)
        assert beside.results, "some have a position"
        assert all(result.position for result in beside.results)
        assert client.similar(3, k=2, tag=None, field=None, taken_from=None, folder=None) == found
    assert (found.place_id, len(found.results)) == (3, 2)

    async def ask() -> None:
        async with AsyncClient(server.address) as client:
            assert await client.similar(3, k=2) == found
            nearby = await client.similar(3, near=(40.0, -3.7), radius_m=20_000_000)
            assert nearby.results == beside.results

    asyncio.run(ask())
