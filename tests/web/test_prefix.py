"""The pages and the API below a path of a proxy, in a browser."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from place_search_client import Client
from tests.nginx import running_nginx

PREFIX = "/places"
TAKES_IT_OFF = "/"
"""What nginx puts in place of the prefix, where it does."""

BelowPrefix = Callable[..., str]
# A test asks for it before `open_page`, so that nginx ends after the page.


@pytest.fixture
def below_prefix(
    start_server: Callable[..., str], reports: Path, tmp_path: Path
) -> Iterator[BelowPrefix]:
    """Starts a server with options behind nginx, below a prefix; returns its address there."""
    with ExitStack() as stack:

        def start(*options: str, onto: str = "", told: str = "", prefix: str = PREFIX) -> str:
            server = start_server("--reports", str(reports), *options).rstrip("/")
            header = f"proxy_set_header X-Forwarded-Prefix {told};" if told else ""
            http = (
                f"server {{ listen 127.0.0.1:PORT; client_max_body_size 33m; location {prefix}/ "
                f"{{ proxy_pass {server}{onto}; proxy_set_header Host $http_host; {header} }} }}"
            )
            port = stack.enter_context(running_nginx(tmp_path, http))
            return f"http://127.0.0.1:{port}{prefix}/"

        yield start


TRUST = ("--trusted-proxies", "127.0.0.1")
USED_IN_A_BROWSER = ("root path, left there", "prefix in a header, taken off")
WAYS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "root path, taken off": (("--root-path", PREFIX), {"onto": TAKES_IT_OFF}),
    "root path, left there": (("--root-path", f"{PREFIX}/"), {}),
    "prefix in a header, taken off": (TRUST, {"onto": TAKES_IT_OFF, "told": PREFIX}),
    "prefix in a header, left there": (TRUST, {"told": PREFIX}),
    "a page of ours of that name": (
        ("--root-path", "/map"),
        {"onto": TAKES_IT_OFF, "prefix": "/map"},
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_everything_is_below_the_prefix(
    below_prefix: BelowPrefix, open_page: Any, town: Any, way: str
) -> None:
    options, named = WAYS[way]
    address = below_prefix(*options, **named)
    prefix = httpx.URL(address).path.rstrip("/")
    if way in USED_IN_A_BROWSER:
        use_all_pages(open_page, address, town)

    with httpx.Client(base_url=address) as http:
        photo = {"photo": town.query(2).read_bytes()}
        best = http.post("v1/search", files=photo).json()["results"][0]
        assert best["image_url"] == f"{prefix}/v1/places/2/image"
        assert best["thumbnail_url"].startswith(f"{prefix}/v1/places/2/thumbnail?v=")
        place = http.get("v1/places/2").json()
        for url in (best["image_url"], place["image_url"], place["thumbnail_url"]):
            assert http.get(httpx.URL(address).join(url)).status_code == 200
        assert http.get("openapi.json").json()["servers"] == [{"url": prefix}]
        assert f"{prefix}/docs" in http.get("nothing").json()["detail"]
        assert http.get("about/", follow_redirects=True).url == f"{address}about"
    with Client(address) as client:
        found = client.search(town.query(2)).results[0]
        assert client.image(found).startswith(b"\xff\xd8")
        small = client.image(found, thumbnail=True)
        assert small.startswith(b"\xff\xd8")
        smaller = client.image(found, thumbnail=True, side=80)
        assert len(smaller) < len(small)
        place = found.place_id
        assert client.thumbnails([place, 10**6]) == {place: small}
        assert client.thumbnails([place], side=80) == {place: smaller}
        assert client.thumbnails([]) == {}

    page = open_page(address)
    page.goto(f"{address}docs")
    route = page.locator("#operations-health-live")
    route.get_by_role("button").first.click()
    route.get_by_role("button", name="Try it out").click()
    with page.expect_response(lambda response: response.url == f"{address}livez") as answer:
        route.get_by_role("button", name="Execute").click()
    assert answer.value.status == 200


def test_the_pages_need_not_be_told_the_prefix(
    below_prefix: BelowPrefix, open_page: Any, town: Any
) -> None:
    use_all_pages(open_page, below_prefix(onto=TAKES_IT_OFF), town)


def use_all_pages(open_page: Any, address: str, town: Any) -> None:
    """Open each page and use what it asks the server for; the page fails on anything refused."""
    page = open_page(address)
    page.set_input_files("#photo", town.query(3))
    best = page.locator("#results:not([aria-busy]) .card").first
    expect(best).to_contain_text("street-3/03.jpg")
    expect(best.locator("img")).to_have_js_property("naturalWidth", 560)
    expect(page.locator("#map .place-pin").first).to_be_visible()
    best.get_by_role("button").first.click()
    expect(page).to_have_url(re.compile(f"^{re.escape(address)}.*place=3$"))
    expect(page.locator("#viewer .shared")).to_contain_text("matching points")
    page.reload()
    expect(page.locator("#viewer img").last).to_have_js_property("naturalWidth", 640)
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Open the large map").click()
    expect(page.locator("#map-note")).to_contain_text("in view")
    page.goto(f"{address}map?place=5")
    photo = page.locator("#chosen img")
    expect(photo).to_have_js_property("naturalWidth", 320)
    page.locator("#chosen a.frame").click()
    expect(page.locator("#viewer img").last).to_have_js_property("naturalWidth", 640)
    page.keyboard.press("Escape")

    for name in ("Compare", "Track", "About", "Reports", "Search", "Map"):
        link = page.get_by_role("navigation").get_by_role("link", name=name)
        link.click()
        expect(page.locator("#status")).to_contain_text("12 places")
        expect(link).to_have_attribute("aria-current", "page")
        if name == "Track":
            page.set_input_files("#files", town.query(3))
            expect(page.locator("#told")).to_contain_text("Frame 1: ")
        if name == "About":
            expect(page.locator("#serving")).to_contain_text("lite0-netvlad-1024")
        if name == "Reports":
            page.locator(".report a").click()
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            page.get_by_role("link", name="All reports").click()
            expect(page.locator(".report")).to_have_count(1)
