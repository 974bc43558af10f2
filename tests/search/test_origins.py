"""Which other sites, names and proxies a server believes."""

import re
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from place_search.search.engine import Engine
from place_search.search.errors import ServerError
from place_search.search.server.app import create_app, routes_of
from place_search.search.server.settings import ServerSettings
from tests.search.asking import asker


def test_other_sites_may_not_ask_unless_listed(engine: Engine) -> None:
    origin = {"Origin": "https://a.example"}
    closed = asker(create_app(engine))
    assert "access-control-allow-origin" not in closed("GET", "/v1/index", headers=origin).headers
    app = create_app(engine, ServerSettings(cors=["https://a.example"], rate=1))
    ask = asker(app)
    allowed = ask("GET", "/v1/index", headers=origin)
    assert allowed.headers["access-control-allow-origin"] == "https://a.example"
    other = ask("GET", "/v1/index", headers={"Origin": "https://b.example"})
    assert "access-control-allow-origin" not in other.headers
    for cors, policy in (("https://a.example", "same-origin"), ("*", "cross-origin")):
        shown = asker(create_app(engine, ServerSettings(cors=[cors])))("GET", "/v1/places/0/image")
        assert shown.headers["cross-origin-resource-policy"] == policy
    for route in routes_of(app):
        assert isinstance(route, Route)
        for method in route.methods or ():
            preflight = {
                **origin,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization, x-api-key, x-request-id",
            }
            answer = ask("OPTIONS", route.path, headers=preflight)
            assert answer.status_code == 200, (method, route.path)
            assert method in answer.headers["access-control-allow-methods"]
    unknown = {**origin, "Access-Control-Request-Method": "BREW"}
    assert ask("OPTIONS", "/v1/search", headers=unknown).status_code == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_may_not_make_the_server_work(engine: Engine, site: str) -> None:
    ask = asker(create_app(engine, ServerSettings(cors=["https://a.example"])))
    foreign = {"Sec-Fetch-Site": site}
    for origin in ({}, {"Origin": "null"}, {"Origin": "https://b.example"}):
        for method, path in (("POST", "/v1/search"), ("DELETE", "/v1/places/0"), ("PUT", "/")):
            refused = ask(method, path, headers={**foreign, **origin})
            assert refused.status_code == 403, (method, path, origin)
            assert refused.json()["type"] == "/problems/cross-site"
        assert ask("GET", "/v1/index", headers={**foreign, **origin}).status_code == 200
        for below in "/v1", "/v1/indexes/index":
            like = ask("GET", f"{below}/places/0/similar", headers={**foreign, **origin})
            assert like.json()["type"] == "/problems/cross-site"
        if origin:  # as browsers that do not say `Sec-Fetch-Site` have it
            assert ask("POST", "/v1/search", headers=origin).status_code == 403
    for taken in (
        {**foreign, "Origin": "https://a.example"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://test"},
        {"Origin": "https://a.example"},
        {"Origin": "http://photos.test:81", "Host": "photos.test:81"},
        {},
    ):
        assert ask("POST", "/v1/search", headers=taken).status_code == 400, taken
        assert ask("GET", "/v1/places/0/similar", headers=taken).status_code == 200, taken


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        *((name, True) for name in ("localhost", "localhost:80", "LocalHost.", "a.localhost:1")),
        *((name, True) for name in ("127.0.0.1:8000", "[::1]:8000", "192.0.2.7", "Places.example")),
        *((name, False) for name in ("evil.example", "localhost.evil.example", "127.0.0.1.nip.io")),
        *((name, False) for name in ("", "[", "a@evil.example", "notlocalhost", "2130706433")),
    ],
)
def test_a_server_goes_by_its_own_names_only(engine: Engine, host: str, taken: bool) -> None:
    ask = asker(create_app(engine, ServerSettings(allowed_hosts=["places.EXAMPLE"])))
    for method, path in (("GET", "/"), ("GET", "/livez"), ("POST", "/v1/search")):
        response = ask(method, path, headers={"host": host})
        assert (response.status_code != 421) is taken
        if not taken:
            assert response.json()["type"] == "/problems/wrong-host"
            assert response.headers["x-content-type-options"] == "nosniff"
    any_name = asker(create_app(engine, ServerSettings(allowed_hosts=["*"])))
    assert any_name("GET", "/livez", headers={"host": host}).status_code == 200


def test_a_name_that_another_site_has_pointed_here_gets_no_answer(client: httpx.Client) -> None:
    rebound = client.get("/v1/index", headers={"host": "evil.example"})
    assert (rebound.status_code, rebound.json()["type"]) == (421, "/problems/wrong-host")
    assert client.get("/v1/index", headers={"host": "localhost"}).status_code == 200


def forwarded(**headers: str) -> dict[str, str]:
    return {f"X-Forwarded-{name}": value for name, value in headers.items()}


@pytest.mark.parametrize("proxies", [(), ("10.0.0.1",), ("127.0.0.0/8",)])
def test_only_proxies_that_were_named_say_who_asked(
    engine: Engine, street: Any, proxies: tuple[str, ...]
) -> None:
    ask = asker(create_app(engine, ServerSettings(rate=1, trusted_proxies=proxies)))
    trusted = proxies == ("127.0.0.0/8",)
    seen = []
    for client in ("192.0.2.1", "192.0.2.2"):
        headers = forwarded(For=client, Prefix="/places/", Proto="https")
        answer = ask("POST", "/v1/search", headers=headers, files={"photo": street.query(0)})
        seen.append(answer.status_code)
        if answer.is_success:
            url = answer.json()["results"][0]["image_url"]
            assert url.startswith("/places/v1/places/" if trusted else "/v1/places/")
    assert seen == ([200, 200] if trusted else [200, 429])


def test_a_redirect_leaves_scheme_and_host_as_they_are(engine: Engine) -> None:
    for root_path in ("", "/places"):
        ask = asker(create_app(engine, ServerSettings(root_path=root_path)))
        for method, path in (("POST", "/v1/search/?k=3"), ("GET", "/v1/places/0/")):
            moved = ask(method, f"{root_path}{path}", headers={"host": "places.example"})
            assert moved.status_code == 307
            assert moved.headers["location"] == root_path + re.sub(r"/(?=\?|$)", "", path)


def test_a_prefix_that_is_no_path_is_not_believed(engine: Engine) -> None:
    ask = asker(create_app(engine, ServerSettings(trusted_proxies=("127.0.0.1",))))
    for told, prefix in {
        "//evil.example": "",
        "/a b": "",
        '/"><script>': "",
        "/a, /b/": "/a/b",
        "": "",
        "/": "",
    }.items():
        place = ask("GET", "/v1/places/0", headers=forwarded(Prefix=told)).json()
        assert place["image_url"] == f"{prefix}/v1/places/0/image", told


@pytest.mark.parametrize(
    ("wrong", "flag"),
    [
        ({"root_path": "places"}, "--root-path"),
        ({"root_path": "/a b"}, "--root-path"),
        ({"root_path": "https://a.example/places"}, "--root-path"),
        ({"trusted_proxies": "proxy.example"}, "--trusted-proxies"),
        ({"trusted_proxies": "10.0.0.1/8"}, "--trusted-proxies"),
    ],
)
def test_a_proxy_that_could_never_be_met_is_refused(wrong: dict[str, Any], flag: str) -> None:
    with pytest.raises(ServerError, match=f"give {flag} the likes of"):
        ServerSettings(**wrong)
