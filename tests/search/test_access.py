"""Who may ask what: keys, roles, rates, and what the log and the metrics say of it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from place_search.search.engine import Engine
from place_search.search.errors import ServerError
from place_search.search.server.app import create_app, routes_of
from place_search.search.server.keys import ApiKey, Role, find_key, new_key, parse_keys, read_keys
from place_search.search.server.middleware.access import MAX_CLIENTS, ApiKeyMiddleware, TokenBuckets
from place_search.search.server.roles import access_of, allows, find_route, is_counted
from place_search.search.server.routes import page
from place_search.search.server.settings import ServerSettings
from tests.search.asking import asker


@pytest.fixture(scope="module")
def secrets() -> dict[Role, tuple[str, ApiKey]]:
    return {"read": new_key("reader", "read"), "write": new_key("writer", "write")}


@pytest.fixture(scope="module")
def keys(secrets: dict[Role, tuple[str, ApiKey]]) -> list[ApiKey]:
    return [key for _, key in secrets.values()]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_key_is_kept_as_its_hash(tmp_path: Path) -> None:
    secret, key = new_key("me", "write")
    assert secret not in key.line
    file = tmp_path / "keys"
    file.write_text(f"# ours\n\n{key.line}  # mine\n")
    (found,) = read_keys(file, "")
    assert found == key
    assert find_key([found], secret) == key
    assert find_key([found], secret[:-1]) is None
    assert find_key([found], "") is None
    other = new_key("other", "read")[1]
    assert read_keys(file, f"{other.line};") == [other, key]


@pytest.mark.parametrize(
    "line", ["secret", "me admin sha256:" + "0" * 64, "me read sha256:00", "me read " + "0" * 64]
)
def test_a_line_that_is_no_key_is_named(line: str) -> None:
    with pytest.raises(ServerError, match=r"^Line 2 of x is no new API key"):
        parse_keys(f"\n{line}\n", "x")


def test_head_is_answered_as_get_is_without_a_body(
    engine: Engine, keys: list[ApiKey], secrets: dict[Role, tuple[str, ApiKey]]
) -> None:
    ask = asker(create_app(engine, keys=keys))
    read = bearer(secrets["read"][0])
    paths = ("/livez", "/readyz", "/v1/index", "/v1/places/0", "/v1/places/0/thumbnail", "/", "/no")
    for path in paths:
        for headers in ({}, read):
            whole, head = (ask(method, path, headers=headers) for method in ("GET", "HEAD"))
            assert head.status_code == whole.status_code, path
            assert whole.content
            assert head.content == b""
            for name in ("content-type", "content-length", "etag", "www-authenticate"):
                assert head.headers.get(name) == whole.headers.get(name), (path, name)
    assert ask("HEAD", "/v1/index").status_code == 401
    assert ask("HEAD", "/v1/search", headers=read).status_code == 405


@pytest.mark.parametrize("writable", [True, False])
def test_a_refused_method_is_told_all_that_its_address_takes(
    engine: Engine, writable: bool
) -> None:
    app = create_app(engine)
    index = app.state.indexes["index"]
    app.state.indexes["index"] = replace(index, writer=writable or None)
    ask = asker(app)
    for path, reading, writing in (
        ("/v1/places", "GET, HEAD", "POST"),
        ("/v1/places/3", "GET, HEAD", "PATCH, DELETE"),
        ("/v1/places/3/group", "GET, HEAD", "PATCH"),
        ("/v1/places/3/restore", "", "POST"),
        ("/v1/places/bulk", "", "POST"),
        ("/v1/tracks/x", "DELETE, GET, HEAD", ""),
        ("/v1/search", "POST", ""),
        ("/livez", "GET, HEAD", ""),
    ):
        methods = f"{reading}, {writing}".split(", ") if writable else reading.split(", ")
        allowed = ", ".join(sorted(filter(None, methods)))
        for address in (path, path.replace("/v1", "/v1/indexes/index")):
            for method in ("PUT", "OPTIONS"):
                reply = ask(method, address)
                assert (reply.status_code, reply.headers["allow"]) == (405, allowed), address
    if not writable:
        assert ask("DELETE", "/v1/places/3").headers["allow"] == "GET, HEAD"


def test_a_keys_file_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="cannot be read"):
        read_keys(tmp_path / "none", "")
    (tmp_path / "empty").write_text("# nothing\n")
    with pytest.raises(ServerError, match="lists no key"):
        read_keys(tmp_path / "empty", "")


def test_without_a_key_only_health_and_page_answer(
    engine: Engine, keys: list[ApiKey], street: Any
) -> None:
    ask = asker(create_app(engine, keys=keys))
    for path in ("/livez", "/readyz", "/", "/docs", "/openapi.json", "/problems/busy"):
        assert ask("GET", path).status_code == 200, path
    photo = {"photo": street.query(0)}
    for response in (
        ask("GET", "/v1/index"),
        ask("GET", "/v1/places/0/thumbnail"),
        ask("GET", "/metrics"),
        ask("POST", "/v1/search", files=photo),
        ask("POST", "/compare", files=photo),
        ask("POST", "/v1/places", files=photo),
        ask("GET", "/v1/index", headers=bearer("ps_wrong")),
        ask("GET", "/v1/index", headers={"Authorization": "Basic !"}),
    ):
        assert response.status_code == 401
        assert response.json()["type"] == "/problems/unauthorized"
        assert "Bearer" in response.headers["www-authenticate"]
        assert response.headers["x-content-type-options"] == "nosniff"


def test_what_a_key_has_opened_no_cache_gives_to_others(
    engine: Engine, keys: list[ApiKey], secrets: dict[Role, tuple[str, ApiKey]]
) -> None:
    ask = asker(create_app(engine, keys=keys))
    version = engine.index.index_id
    for access in sorted(ACCESS["read"]):
        method, _, path = access.partition(" ")
        if method == "GET":
            path = re.sub("{place_id}", "0", path)
            address = f"{path}?place=0" if path == "/v1/thumbnails" else path
            for asked in (address, f"{address}{'&' if '?' in address else '?'}v={version}"):
                reply = ask("GET", asked, headers=bearer(secrets["read"][0]))
                assert "private" in reply.headers["cache-control"], asked
                # A browser's own cache would show what it has to the next person, without a key.
                assert {"Authorization", "X-API-Key"} <= {
                    name.strip() for name in reply.headers["vary"].split(",")
                }, asked


ACCESS = {
    "open": {
        *("GET /livez", "GET /readyz", "GET /problems/{name}", "GET /openapi.json"),
        *("GET /docs", "GET /page.json"),
    },
    "read": {
        *("POST /v1/search", "POST /v1/compare", "POST /compare", "POST /v1/explain"),
        *(
            "GET /v1/index",
            "GET /v1/indexes",
            "GET /v1/model",
            "GET /v1/places",
            "GET /v1/places/{place_id}",
            "GET /v1/places/{place_id}/similar",
            "GET /v1/places/{place_id}/group",
            "GET /v1/groups",
        ),
        *("GET /v1/places/{place_id}/image", "GET /v1/places/{place_id}/thumbnail"),
        "GET /v1/thumbnails",
        *("POST /v1/tracks", "POST /v1/tracks/{track_id}/frames"),
        *("GET /v1/tracks/{track_id}", "DELETE /v1/tracks/{track_id}"),
        *("GET /v1/reports", "GET /reports/{name}/", "GET /reports/{name}/{file}", "GET /metrics"),
    },
    "write": {
        "POST /v1/places",
        "POST /v1/places/bulk",
        "POST /v1/places/{place_id}/restore",
        "PATCH /v1/places/{place_id}",
        "PATCH /v1/places/{place_id}/group",
        "DELETE /v1/places/{place_id}",
    },
}
"""Who may ask what, apart from the pages' files, which are open."""


def test_every_route_declares_who_may_ask_it(engine: Engine) -> None:
    declared: dict[Any, set[str]] = {}
    files = 0
    for route in routes_of(create_app(engine)):
        assert isinstance(route, Route)
        if isinstance(route.endpoint, page._File):
            assert access_of(route) == "open"
            files += 1
            continue
        for method in (route.methods or set()) - {"HEAD"}:
            declared.setdefault(access_of(route), set()).add(f"{method} {route.path}")
    assert files > 40
    assert declared == ACCESS


def test_a_route_that_declares_nothing_is_closed(engine: Engine, keys: list[ApiKey]) -> None:
    async def forgotten(request: Any) -> None:
        raise AssertionError(request)

    scope = {"type": "http", "method": "GET", "path": "/forgotten"}
    route = Route("/forgotten", forgotten)
    assert find_route([route], scope) is route
    assert access_of(route) is None
    middleware = ApiKeyMiddleware(create_app(engine), [route], keys)
    refusal = middleware._refusal({**scope, "headers": [], "client": None})
    assert refusal is not None
    assert refusal.status_code == 401


def test_a_key_opens_what_its_role_may(
    engine: Engine, keys: list[ApiKey], secrets: dict[Role, tuple[str, ApiKey]], street: Any
) -> None:
    ask = asker(create_app(engine, keys=keys))
    read, write = secrets["read"][0], secrets["write"][0]
    for headers in (bearer(read), bearer(write), {"X-API-Key": read}):
        assert ask("GET", "/v1/index", headers=headers).status_code == 200
        found = ask("POST", "/v1/search", headers=headers, files={"photo": street.query(0)})
        assert found.status_code == 200
    assert ask("GET", "/v1/index", auth=("anybody", read)).status_code == 200
    refused = ask("DELETE", "/v1/places/1", headers=bearer(read))
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    # What a browser adds by itself, another site's page could make it send.
    assert ask("DELETE", "/v1/places/1", auth=("anybody", write)).status_code == 403
    assert ask("DELETE", "/v1/places/1", headers=bearer(write)).status_code == 405


def test_a_public_server_lets_everybody_read(
    engine: Engine, keys: list[ApiKey], street: Any
) -> None:
    ask = asker(create_app(engine, ServerSettings(public=True), keys=keys))
    assert ask("GET", "/v1/index").status_code == 200
    assert ask("POST", "/v1/search", files={"photo": street.query(0)}).status_code == 200
    assert ask("GET", "/v1/index", headers=bearer("ps_wrong")).status_code == 401
    assert ask("POST", "/v1/places", files={"photo": b"x"}).status_code == 401


def test_a_rate_is_refilled_and_forgets_nobody_too_soon() -> None:
    rate = TokenBuckets(2)
    assert [rate.take("a", now=0.0) for _ in range(4)] == [0, 0, 31, 31]
    assert rate.take("b", now=0.0) == 0
    assert rate.take("a", now=29.0) == 1
    assert rate.take("a", now=31.0) == 0
    assert rate.take("a", now=31.0) > 0
    for number in range(MAX_CLIENTS + 10):
        rate.take(f"client {number}", now=32.0)
    assert len(rate._buckets) == MAX_CLIENTS


def test_too_many_searches_are_told_when_to_come_back(engine: Engine, street: Any) -> None:
    ask = asker(create_app(engine, ServerSettings(rate=2)))
    statuses = []
    for _ in range(4):
        response = ask("POST", "/v1/search", files={"photo": street.query(0)})
        statuses.append(response.status_code)
    assert statuses == [200, 200, 429, 429]
    assert response.json()["type"] == "/problems/rate-limited"
    assert 20 <= int(response.headers["retry-after"]) <= 31
    assert ask("GET", "/v1/index").status_code == 200


def test_what_is_counted_is_documented_to_be(engine: Engine) -> None:
    app = create_app(engine, ServerSettings(rate=1))
    paths = app.openapi()["paths"]
    documented = set[str]()
    for path, operations in paths.items():
        for method, operation in operations.items():
            told = operation["responses"].get("429", {}).get("description", "")
            documented |= {f"{method} {path}"} if "from you" in told else set()
    counted = {
        f"{method.lower()} {route.path}"
        for route in routes_of(app)
        if isinstance(route, Route) and is_counted(route) and route.path in paths
        for method in route.methods or ()
    }
    assert documented == counted
    assert {"get /v1/places/{place_id}/similar", "post /v1/search"} < counted
    ask = asker(app)
    for _ in range(2):
        assert ask("DELETE", "/v1/tracks/none").status_code == 404
    assert ask("GET", "/v1/places/0/similar").status_code == 200
    limited = ask("GET", "/v1/places/0/similar")
    assert limited.json()["type"] == "/problems/rate-limited"


def test_an_ipv6_customer_is_one_client() -> None:
    async def app(*_: Any) -> None:
        return None

    access = ApiKeyMiddleware(app, [Route("/v1/search", allows("write")(app))], rate=1)
    scope = {"type": "http", "path": "/v1/search", "method": "POST", "headers": []}
    assert access._refusal({**scope, "client": ("2001:db8::1", 1)}) is None
    assert access._refusal({**scope, "client": ("2001:db8::2", 1)}) is not None
    assert access._refusal({**scope, "client": ("2001:db8:1::1", 1)}) is None
    assert access._refusal({**scope, "client": None}) is None


def test_all_interfaces_without_a_key_is_warned_of(
    start_server: Callable[..., Any], index_folder: Path, tmp_path: Path
) -> None:
    server = start_server(index_folder, "--host", "0.0.0.0")
    assert "WARNING: everybody who reaches 0.0.0.0" in server.text()
    named = httpx.get(f"{server.address}livez", headers={"host": "places.example"})
    assert named.status_code == 200
    server.stop()
    secret, key = new_key("me", "read")
    (tmp_path / "keys").write_text(key.line)
    server = start_server(index_folder, "--host", "0.0.0.0", "--keys", str(tmp_path / "keys"))
    assert "WARNING" not in server.text()
    assert httpx.get(f"{server.address}v1/index").status_code == 401
    assert httpx.get(f"{server.address}v1/index", headers=bearer(secret)).status_code == 200
    server.stop()


def test_a_key_that_opens_nothing_is_warned_of(
    start_server: Callable[..., Any], index_folder: Path, tmp_path: Path
) -> None:
    keys = [new_key(name, "read", index)[1].line for name, index in (("me", "town"), ("you", "x"))]
    (tmp_path / "keys").write_text("\n".join(keys))
    server = start_server(f"town={index_folder}", "--keys", str(tmp_path / "keys"))
    warned = server.text()
    assert "WARNING: the key 'you' is for the index 'x' alone, and this server has town" in warned
    assert "the key 'me'" not in warned
    server.stop()


def test_the_log_tells_what_happened_and_nothing_more(
    start_server: Callable[..., Any], index_folder: Path, street: Any
) -> None:
    server = start_server(index_folder, "--log")
    with httpx.Client(base_url=server.address, headers={"x-request-id": "me-1"}) as client:
        files = {"photo": ("secret-name.jpg", street.query(0))}
        client.post("/v1/search?near=48.13579,11.5&radius_m=5", files=files)
        client.post("/v1/search", files={"photo": b"no photo"})
        client.get("/v1/places/3")
        client.get("/not/there")
    server.stop()
    lines = [json.loads(line) for line in server.text().splitlines() if line.startswith("{")]
    assert [(line["route"], line["status"]) for line in lines] == [
        ("/v1/search", 200),
        ("/v1/search", 415),
        ("/v1/places/{place_id}", 200),
        ("other", 404),
    ]
    assert {line["request_id"] for line in lines} == {"me-1"}
    assert {line["client"] for line in lines} == {"127.0.0.0/24"}
    assert lines[0]["stages_ms"]["embed"] > 0
    assert lines[1]["problem"] == "unsupported-photo"
    for told in ("secret-name", "48.13579", "127.0.0.1:"):
        assert told not in "".join(map(json.dumps, lines))


def test_the_metrics_count(engine: Engine, street: Any) -> None:
    ask = asker(create_app(engine))
    ask("POST", "/v1/search", files={"photo": street.query(0)})
    ask("POST", "/v1/search", files={"photo": b"no photo"})
    ask("GET", "/made/up/1")
    before = ask("GET", "/metrics")
    assert 'place_search_stage_seconds_count{stage="embed"} 1.0' in before.text
    ask("POST", "/v1/compare", files={"image1": street.query(0), "image2": street.query(1)})
    ask("POST", "/v1/explain", files={"photo": street.query(0)})
    page = ask("GET", "/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    for line in (
        'place_search_stage_seconds_count{stage="queue"} 4.0',
        'place_search_stage_seconds_count{stage="decode"} 5.0',
        'place_search_stage_seconds_count{stage="embed"} 4.0',
        'place_search_stage_seconds_count{stage="search"} 1.0',
        'place_search_stage_seconds_count{stage="verify"} 2.0',
        'place_search_problems_total{type="unsupported-photo"} 1.0',
        'place_search_request_seconds_count{route="other",status="404"} 1.0',
        'place_search_queue_depth{queue="search"} 0.0',
        f'place_search_index_info{{index="index",index_id="{engine.index.index_id}",'
        'model="lite0-netvlad-1024"} 1.0',
        'place_search_places{index="index"} 12.0',
    ):
        assert line in page.text, line
    assert "made" not in page.text


def test_what_is_closed_stays_closed_below_a_root_path(engine: Engine, keys: list[ApiKey]) -> None:
    ask = asker(create_app(engine, ServerSettings(root_path="/places"), keys=keys))
    for before in ("", "/places"):
        assert ask("GET", f"{before}/livez").status_code == 200
        for path in ("/v1/index", "/v1/places/0/image", "/metrics", "/reports/town/"):
            assert ask("GET", f"{before}{path}").status_code == 401, before + path
        assert ask("POST", f"{before}/v1/places").status_code == 401
    assert ask("GET", "/places/places/v1/index").status_code == 404
