"""What the pages ask for: places of the map, the model, and what it makes of a photo."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from place_search.models import Model, VocabularyError
from place_search.models.aggregations.netvlad import netvlad_of
from place_search.models.netvlad_vocabulary import read_vocabulary
from place_search.search.engine import Engine
from place_search.search.errors import ServerError
from place_search.search.server.app import create_app
from place_search.search.server.routes.page import tiles_origin
from place_search.search.server.settings import ServerSettings
from place_search_client import AsyncClient, Client
from tests.search.conftest import RunningServer


def test_places_of_a_box_are_geojson(client: httpx.Client) -> None:
    response = client.get("/v1/places", params={"bbox": "11.4,48.0015,11.6,48.0045"})
    assert response.headers["content-type"] == "application/geo+json"
    body = response.json()
    assert (body["type"], body["places"]) == ("FeatureCollection", 3)
    assert [dot["properties"] for dot in body["features"]] == [
        {"place_id": place, "name": f"{place:02d}.jpg", "count": 1} for place in (2, 3, 4)
    ]
    assert body["features"][0]["geometry"] == {"type": "Point", "coordinates": [11.5, 48.002]}


def test_places_without_a_position_are_on_no_map(client: httpx.Client) -> None:
    body = client.get("/v1/places", params={"bbox": "-180,-90,180,90"}).json()
    assert body["places"] == 10


def test_dots_are_limited(client: httpx.Client) -> None:
    body = client.get("/v1/places", params={"bbox": "-180,-90,180,90", "limit": 3}).json()
    assert len(body["features"]) <= 3
    assert body["places"] == sum(dot["properties"]["count"] for dot in body["features"]) == 10


def test_the_clients_ask_for_dots(server: RunningServer) -> None:
    box = (11.4, 48.0015, 11.6, 48.0045)

    async def ask() -> dict[str, Any]:
        async with AsyncClient(server.address) as asking:
            return await asking.dots(box, limit=1)

    with Client(server.address) as asking:
        dots = asking.dots(box, limit=1)
        with pytest.raises(ValueError, match="bbox is the numbers west, south, east, north, not"):
            asking.dots((11.4, 48.0))  # type: ignore[arg-type]
    assert [dot["properties"]["count"] for dot in dots["features"]] == [3]
    assert asyncio.run(ask()) == dots


@pytest.mark.parametrize("query", ["bbox=1,2,3", "bbox=0,5,1,4", "bbox=", "bbox=0,0,1,1&limit=0"])
def test_a_bad_box_is_a_problem(client: httpx.Client, query: str) -> None:
    response = client.get(f"/v1/places?{query}")
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "/problems/bad-parameter"


def test_the_model_is_described(client: httpx.Client) -> None:
    body = client.get("/v1/model").json()
    assert (body["id"], body["clusters"], body["channels"]) == ("lite0-netvlad-1024", 64, 112)
    assert body["dims"] == 1024
    assert "then trained on places" in body["fitted"]


def test_a_photo_is_explained(client: httpx.Client, engine: Engine, street: Any) -> None:
    photo = street.query(3)
    body = client.post("/v1/explain", files={"photo": photo}).json()
    assert body["photo"] == {"width": 596, "height": 447}
    grid, seen = body["grid"], body["seen"]
    assert (seen["width"], seen["height"]) == (16 * grid["columns"], 16 * grid["rows"])
    assignment = np.array(body["assignment"])
    assert assignment.shape == (grid["rows"], grid["columns"])
    assert assignment.min() >= 0
    assert assignment.max() < 64
    descriptor = engine.model.embed(engine.model.read(photo)).descriptor
    np.testing.assert_allclose(body["descriptor"], descriptor, atol=6e-5)
    sums = np.array(body["sums"])
    parts = np.linalg.norm(sums, axis=1)
    np.testing.assert_allclose(body["cluster_norms"], parts, atol=6e-4)
    # Only clusters that cells belong to can add much.
    assert parts[np.unique(assignment)].mean() > 0.1


def test_the_clients_describe_the_model_and_explain_a_photo(
    server: RunningServer, client: httpx.Client, street: Any
) -> None:
    photo = street.query(3)
    told = client.post("/v1/explain", files={"photo": photo}).json()
    with Client(server.address) as blocking:
        explained = blocking.explain(photo)
        assert asdict(blocking.model()) == client.get("/v1/model").json()
    assert asdict(explained) == told
    assert explained.grid.columns == len(explained.assignment[0])

    async def ask() -> None:
        async with AsyncClient(server.address) as other:
            assert await other.explain(photo) == explained
            assert (await other.model()).dims == explained.dims

    asyncio.run(ask())


def test_the_assignment_is_that_of_the_network(
    model: Model, street: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from place_search.models.network import load_network

    assert model.folder is not None
    network = load_network(model.folder, model.card)
    pixels = model.prepare(model.read(street.query(3)))
    with torch.no_grad():
        local = network.extract(torch.from_numpy(pixels)[None])
        shares = netvlad_of(network).assignment(local)
        pooled = network.pool(local)[0].numpy()
    expected = shares[0].argmax(dim=0).numpy()
    given = model.runtime.embed(pixels).require_local_features()
    vocabulary = read_vocabulary(model.folder)
    assert (vocabulary.assign(given) == expected).mean() > 0.999  # ties fall either way
    # What the network sums up is what is summed up here, before any whitening.
    assert float(vocabulary.sums(given).ravel() @ pooled) > 0.9999


def test_an_unreadable_photo_is_not_explained(client: httpx.Client) -> None:
    response = client.post("/v1/explain", files={"photo": b"hello"})
    assert (response.status_code, response.json()["type"]) == (415, "/problems/unsupported-photo")


def test_a_model_without_a_vocabulary_says_so(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="holds no NetVLAD vocabulary"):
        read_vocabulary(tmp_path)


def test_tiles_come_from_where_they_may(engine: Engine) -> None:
    async def ask(options: ServerSettings) -> tuple[str, Any]:
        transport = httpx.ASGITransport(create_app(engine, options))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            page = await client.get("/map")
            about = await client.get("/page.json")
            return page.headers["content-security-policy"], about.json()

    policy, about = asyncio.run(ask(ServerSettings()))
    assert "img-src 'self' blob: data:;" in policy
    assert about == {"tiles": None, "reports": False}
    url = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
    policy, about = asyncio.run(ask(ServerSettings(tiles_url=url)))
    assert "img-src 'self' https://tile.openstreetmap.org blob: data:;" in policy
    assert about["tiles"] == {"url": url, "attribution": "© OpenStreetMap contributors"}


@pytest.mark.parametrize(
    "url",
    [
        "tiles.example.org/{z}/{x}/{y}.png",
        "https://tiles.example.org/",
        "https://a; script-src *;/{z}/{x}/{y}",
        "ftp://tiles.example.org/{z}/{x}/{y}.png",
    ],
)
def test_an_address_that_gives_no_tiles_is_refused(url: str) -> None:
    with pytest.raises(ServerError, match="--tiles-url"):
        tiles_origin(url)


def test_the_map_library_is_served(client: httpx.Client) -> None:
    script = client.get("/vendor/leaflet/leaflet.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "Leaflet 1.9" in script.text[:200]
    assert client.get("/vendor/leaflet/images/marker-icon.png").status_code == 200
    for page in ("map", "compare", "track", "about"):
        assert "<html" in client.get(f"/{page}").text


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, br", "gzip"),
        ("br;q=1, GZIP;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("br, gzip; q=0.00", None),
        ("identity", None),
    ],
)
def test_pages_are_compressed_for_who_asks(
    client: httpx.Client, accepted: str, coding: str | None
) -> None:
    whole = client.get("/words.js", headers={"Accept-Encoding": "identity"})
    reply = client.get("/words.js", headers={"Accept-Encoding": accepted})
    assert reply.headers.get("content-encoding") == coding
    assert reply.headers["vary"] == "Accept-Encoding"
    assert reply.text == whole.text
    shorter = int(reply.headers["content-length"]) < int(whole.headers["content-length"])
    assert shorter == (coding is not None)
