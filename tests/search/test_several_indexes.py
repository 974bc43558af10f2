"""Several indexes in one server: by name, by key, and when the folder of one goes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import place_search
from place_search.indexer import build_index, open_index, open_source
from place_search.models import Model
from place_search.photos import Decoder
from place_search.search.engine import Engine
from place_search.search.server.app import create_app
from place_search.search.server.keys import new_key, parse_keys
from place_search.search.server.server import EngineOpener
from place_search.search.server.settings import ServerSettings
from place_search_client import Client
from tests.search.asking import asker
from tests.search.replies import problem
from tests.waiting import SECONDS, wait_until


@pytest.fixture(scope="module")
def base(street: Any, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Indexes a, b and c of two places each, and keys for all, for a, and to change b."""
    base = tmp_path_factory.mktemp("several")
    for first, name in ((0, "a"), (3, "b"), (6, "c")):
        (base / f"{name}-photos").mkdir()
        for place in (first, first + 1):
            (base / f"{name}-photos" / f"{place}.jpg").write_bytes(street.query(place))
        build_index(open_source(base / f"{name}-photos"), base / name, model)
    return base


@pytest.fixture(scope="module")
def secrets(base: Path) -> dict[str, str]:
    made = {
        "all": new_key("all", "read"),
        "a": new_key("a", "read", "a"),
        "b": new_key("b", "write", "b"),
    }
    (base / "keys").write_text("\n".join(key.line for _, key in made.values()))
    return {name: secret for name, (secret, _) in made.items()}


@pytest.fixture(scope="module")
def address(start_server: Callable[..., Any], base: Path, secrets: dict[str, str]) -> Iterator[str]:
    named = [f"{name}={base / name}" for name in "bc"]
    options = "--writable", "--keys", str(base / "keys")
    server = start_server(f"a={base / 'a'}", *named, *options)
    yield server.address.rstrip("/")
    assert server.stop() == 0
    assert "Traceback" not in server.text()


@pytest.fixture
def ask(address: str, secrets: dict[str, str]) -> Iterator[Callable[..., httpx.Response]]:
    with httpx.Client(base_url=address, timeout=SECONDS) as client:

        def asked(key: str, method: str, path: str, **more: Any) -> httpx.Response:
            headers = {"Authorization": f"Bearer {secrets[key]}"} if key else {}
            return client.request(method, path, headers=headers, **more)

        yield asked


Ask = Callable[..., httpx.Response]


def test_each_index_answers_below_its_name(ask: Ask, street: Any) -> None:
    listed = ask("all", "GET", "/v1/indexes").json()["indexes"]
    assert [(i["name"], i["status"], i["places"]) for i in listed] == [
        (name, "ready", 2) for name in "abc"
    ]
    first = ask("all", "GET", "/v1/index").json()
    assert first["index_id"] == listed[0]["index_id"]
    for index, place in zip(listed, (0, 3, 6), strict=True):
        below = f"/v1/indexes/{index['name']}"
        for about in (below, f"{below}/index", f"{below}/v1/index"):
            assert ask("all", "GET", about).json()["index_id"] == index["index_id"]
        files = {"photo": street.query(place)}
        found = ask("all", "POST", f"{below}/search", files=files).json()
        assert found["index_id"] == index["index_id"]
        best = found["results"][0]
        assert best["name"] == f"{place}.jpg"
        assert best["thumbnail_url"].startswith(f"{below}/v1/places/")
        for picture in ("thumbnail_url", "image_url"):
            assert ask("all", "GET", best[picture]).headers["content-type"] == "image/jpeg"


def test_a_client_is_given_the_address_of_an_index(
    address: str, secrets: dict[str, str], street: Any
) -> None:
    with Client(f"{address}/v1/indexes/c", key=secrets["all"]) as client:
        found = client.search(street.query(6))
        assert found.results[0].name == "6.jpg"
        assert client.image(found.results[0], thumbnail=True)[:2] == b"\xff\xd8"
        with client.track() as track:
            track.add(street.query(6))


def test_the_metrics_tell_of_all_indexes_and_no_key_for_one_shows_them(ask: Ask) -> None:
    for path in ("/metrics", "/indexes/b/metrics"):
        told = ask("all", "GET", path).text
        for index in "abc":
            about = ask("all", "GET", f"/v1/indexes/{index}").json()
            assert f'place_search_places{{index="{index}"}} 2.0' in told
            assert f'place_search_ready{{index="{index}"}} 1.0' in told
            assert f'place_search_index_damaged{{index="{index}"}} 0.0' in told
            assert f'index="{index}",index_id="{about["index_id"]}"' in told
    for key in "ab":
        for path in ("/metrics", f"/indexes/{key}/metrics"):
            assert problem(ask(key, "GET", path), "forbidden")


def test_a_cursor_is_of_its_index_alone(ask: Ask) -> None:
    cursor = ask("all", "GET", "/v1/places?limit=1").json()["next_cursor"]
    onward = f"places?limit=1&cursor={cursor}"
    for own in ("/v1/", "/v1/indexes/a/", "/indexes/a/v1/"):
        assert [place["name"] for place in ask("all", "GET", own + onward).json()["places"]] == [
            "1.jpg"
        ]
    for other in (onward, "groups?cursor=a:0"):
        refused = problem(ask("all", "GET", f"/v1/indexes/b/{other}"), "bad-parameter")
        assert "or to another index; leave it out to begin anew" in refused["detail"]
    assert ask("all", "GET", "/v1/groups?cursor=a:0").status_code == 200
    told = problem(ask("all", "GET", "/v1/groups?cursor=0"), "bad-parameter")["detail"]
    assert told == "The parameter cursor is none that this server gave; leave it out to begin anew."


def test_the_schema_tells_where_other_indexes_are(ask: Ask) -> None:
    told = ask("all", "GET", "/openapi.json").json()["info"]
    assert "below `/v1/indexes/{name}` too" in told["description"]
    assert told["version"] == place_search.__version__


def test_an_index_that_is_not_there_is_said(ask: Ask) -> None:
    for path in ("/v1/indexes/d/index", "/v1/indexes/d/places/1", "/v1/indexes/d"):
        assert "no index 'd'" in problem(ask("all", "GET", path), "unknown-index")["detail"]
    problem(ask("", "GET", "/v1/indexes/d/index"), "unauthorized")
    problem(ask("all", "GET", "/v1/indexes/a/nothing"), "not-found")


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/indexes/b/nothing", 404), ("/v1/indexes/b/search", 405)]
)
def test_an_address_below_an_index_is_told_as_it_was_asked(
    ask: Ask, path: str, status: int
) -> None:
    reply = ask("all", "GET", path)
    assert reply.status_code == status
    assert path in reply.json()["detail"]


def test_a_key_may_see_one_index(ask: Ask) -> None:
    assert [i["name"] for i in ask("a", "GET", "/v1/indexes").json()["indexes"]] == ["a"]
    assert ask("a", "GET", "/v1/index").status_code == 200
    for path in ("/v1/indexes/b/index", "/v1/indexes/d/index"):
        assert "index a only" in problem(ask("a", "GET", path), "forbidden")["detail"]
    problem(ask("b", "GET", "/v1/index"), "forbidden")
    assert ask("b", "GET", "/v1/indexes/b/index").status_code == 200


def test_what_is_ready_is_told_to_those_who_may_see_it(ask: Ask) -> None:
    for path, index in (("/readyz", "a"), ("/indexes/a/readyz", "a"), ("/indexes/b/readyz", "b")):
        for key in ("", "all", "a", "b"):
            told = ask(key, "GET", path).json()
            assert told["status"] == "ready"
            names = (
                {"status", "index_id", "model", "places"} if key in ("all", index) else {"status"}
            )
            assert set(told) == names, (key, path)


def test_a_change_is_of_its_index_alone(
    ask: Ask, street: Any, encode_photo: Callable[..., bytes]
) -> None:
    before = ask("all", "GET", "/v1/index").json()
    files = {"photo": encode_photo(street.photo(9))}
    added = ask("b", "POST", "/v1/indexes/b/places", files=files)
    assert added.status_code == 201
    assert added.headers["location"].startswith("/v1/indexes/b/v1/places/")
    place = ask("b", "GET", added.headers["location"]).json()
    assert added.json() == place | {"notes": [], "reasons": []}
    assert ask("all", "GET", "/v1/indexes/b/index").json()["places"] == 3
    assert ask("all", "GET", "/v1/index").json() == before
    problem(ask("all", "POST", "/v1/indexes/b/places", files=files), "forbidden")


def test_the_others_go_on_where_the_folder_of_one_goes(ask: Ask, base: Path, street: Any) -> None:
    shutil.rmtree(base / "c")
    shutil.rmtree(base / "c-photos")

    def status() -> str:
        listed = ask("all", "GET", "/v1/indexes").json()["indexes"]
        return str({i["name"]: i["status"] for i in listed}["c"])

    wait_until(lambda: status() == "removed", "the removed index is not noticed")
    for name, place in (("c", 6), ("a", 0)):
        files = {"photo": street.query(place)}
        found = ask("all", "POST", f"/v1/indexes/{name}/search", files=files)
        assert found.json()["results"][0]["name"] == f"{place}.jpg"
    problem(ask("all", "GET", "/v1/indexes/c/places/0/image"), "photo-gone")


def test_an_index_that_was_removed_cannot_be_changed(ask: Ask, base: Path) -> None:
    kept = (base / "b").rename(base / "elsewhere")
    try:
        (listed,) = ask("b", "GET", "/v1/indexes").json()["indexes"]
        assert (listed["status"], listed["changes"]) == ("removed", "never")
        changed = ask("b", "PATCH", "/v1/indexes/b/places/0", json={"note": "x"})
        assert problem(changed, "cannot-change")["reason"]["code"] == "index-removed"
    finally:
        kept.rename(base / "b")

    def back() -> bool:
        # Who watches for new versions may have found none meanwhile.
        (listed,) = ask("b", "GET", "/v1/indexes").json()["indexes"]
        return (listed["status"], listed["changes"]) == ("ready", "allowed")

    wait_until(back, "the index that is back is not noticed")
    assert ask("b", "PATCH", "/v1/indexes/b/places/0", json={"note": "x"}).status_code == 200


def test_one_model_is_shared(base: Path) -> None:
    options = ServerSettings()
    decoder = Decoder(workers=1)
    openers = {name: EngineOpener(base / name, options, decoder) for name in "ab"}
    others = {"b": (base / "b", openers["b"])}
    app = create_app(openers["a"], options, index_folder=base / "a", name="a", others=others)
    engines: list[Engine] = []
    for served in app.state.indexes.values():
        engines.append(served.service._loader())
        served.service.replace(engines[-1])
    decoder.close()
    assert engines[0].model is engines[1].model
    assert engines[0].index.index_id != engines[1].index.index_id


def test_old_lines_of_a_keys_file_are_good() -> None:
    digest = "0" * 64
    old, new = parse_keys(f"me read sha256:{digest}\nyou write town sha256:{digest}", "keys")
    assert (old.index, new.index, new.role) == ("", "town", "write")
    assert new.line == f"you write town sha256:{digest}"


def test_a_key_for_one_index_closes_no_other_that_is_public(base: Path, model: Model) -> None:
    engines = {name: Engine(open_index(base / name), model) for name in "ab"}
    decoder = Decoder(workers=1)
    secret, key = new_key("me", "write", "b")
    app = create_app(
        lambda *_: engines["a"],
        ServerSettings(public=True, writable=True),
        decoder=decoder,
        keys=[key],
        index_folder=base / "a",
        name="a",
        others={"b": (base / "b", lambda *_: engines["b"])},
    )
    for name, served in app.state.indexes.items():
        served.service.replace(engines[name])
    ask, shown = asker(app), {"Authorization": f"Bearer {secret}"}
    for path in "/v1/index", "/v1/places/0", "/v1/indexes/b/index", "/metrics":
        assert ask("GET", path, headers=shown).status_code == 200
    told = ask("GET", "/v1/indexes", headers=shown).json()["indexes"]
    assert {i["name"]: i["changes"] for i in told} == {"a": "needs_key", "b": "allowed"}
    problem(ask("DELETE", "/v1/places/0", headers=shown), "forbidden")
    decoder.close()
