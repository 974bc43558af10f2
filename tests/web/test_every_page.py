"""What holds for every page that the server serves: a new page is found by its route."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from starlette.routing import Route

from place_search.search.server.app import create_app, routes_of
from tests.web.settling import settle
from tests.web.test_pages import check_accessible
from tests.web.test_samples import SHIFT

PAGES = {
    "/": "",
    "/places": "places",
    "/place": "place?id=3",
    "/map": "map",
    "/compare": "compare",
    "/track": "track",
    "/about": "about",
    "/reports": "reports",
    "/reports/{name}/": "reports/town/",
    "/offline": "offline",
}
"""The addresses of the pages by their routes."""
THEIRS = {"/docs"}
"""Swagger UI's own page."""
OFFLINE = ("ERR_FAILED",)
FILLED = {"{place_id}": "3", "{track_id}": "none", "{file}": "queries.csv"}
LANGUAGES = {
    ("light", "desktop"): "en",
    ("dark", "desktop"): "hi",
    ("light", "phone"): "hi-Latn",
    ("dark", "phone"): "en",
}
"""Each colour at each width, and all three languages among them."""
SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
MAX_BYTES = 260_000


def opened(open_page: Any, address: str, **options: Any) -> Page:
    """The page, with all that it asks for there."""
    page: Page = open_page(at=address, expected=OFFLINE, **options)
    # The page without a connection looks every few seconds whether there is one, and reloads.
    page.route("**/livez", lambda route: route.abort())
    settle(page)
    if page.locator("header .status").count():
        expect(page.locator("#status")).to_contain_text("12")
    if address == "about":
        expect(page.locator("#cells")).to_be_visible()
    return page


def test_every_page_that_is_served_is_in_the_list(server: str) -> None:
    engine: Any = lambda: None  # noqa: E731 - never loaded: only the routes are read
    paths = {
        route.path
        for route in routes_of(create_app(engine))
        if isinstance(route, Route) and "GET" in (route.methods or ())
    }
    pages = set()
    with httpx.Client(base_url=server, timeout=60) as client:
        for path in paths:
            name = "town" if path.startswith("/reports") else "busy"
            address = path.replace("{name}", name)
            for part, value in FILLED.items():
                address = address.replace(part, value)
            answer = client.get(address.lstrip("/"), headers={"Accept": "text/html"})
            if answer.headers.get("content-type", "").startswith("text/html"):
                pages.add(path)
    assert pages == {*PAGES, *THEIRS}


@pytest.mark.parametrize("address", PAGES.values(), ids=str)
@pytest.mark.parametrize(("colours", "size"), LANGUAGES, ids=str)
def test_every_page_is_accessible_and_nothing_moves(
    open_page: Any, address: str, colours: str, size: str
) -> None:
    language = LANGUAGES[colours, size]
    page = opened(open_page, address, color_scheme=colours, locale=language, **SIZES[size])
    if "reports/" not in address and address != "offline":
        expect(page.locator("html")).to_have_attribute("lang", language)
    assert page.evaluate(SHIFT) < 0.0005
    check_accessible(page)
    for width in (page.evaluate("innerWidth"), *((320,) if size == "phone" else ())):
        page.set_viewport_size({"width": width, "height": 800})
        # The list of places is laid out anew a frame later.
        page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")
        if size == "phone":
            assert page.evaluate(SMALL) == []


SMALL = """() => {
    const targets = 'a[href], button, select, textarea, summary, input:not(.offscreen)';
    return [...document.querySelectorAll(targets)]
        .filter((part) => part.checkVisibility({ visibilityProperty: true }))
        .filter((part) => !part.matches('.skip, p a'))
        .filter((part) => {
            const { width, height } = (part.closest('label') ?? part).getBoundingClientRect();
            return Math.min(width, height) < 24;
        })
        .map((part) => part.outerHTML.slice(0, 80));
}"""
"""What a fingertip may miss (WCAG 2.5.8); a link in a sentence is as high as its line."""


def test_without_a_connection_all_languages_are_told_alike(open_page: Any) -> None:
    page = opened(open_page, "offline", locale="hi")
    headings = page.get_by_role("heading")
    expect(headings.first).to_have_text("सर्वर से संपर्क नहीं है")
    size = "all => new Set(all.map((part) => getComputedStyle(part).fontSize)).size"
    assert headings.evaluate_all(size) == 1


MOVED = """() => {
    const parts = [...document.querySelectorAll('main, main > *, main > * > *')];
    const top = (part) => Math.round(part.getBoundingClientRect().top);
    const whole = new Map(parts.map((part) => [part, top(part)]));
    const moved = [];
    while (parts.length) {
        parts.pop().remove();
        const seen = parts.filter((part) => part.offsetHeight);
        moved.push(...seen.filter((part) => top(part) !== whole.get(part)));
    }
    return moved.map((part) => part.outerHTML.slice(0, 80));
}"""
"""What stands elsewhere as long as parts of the page below it are still to come."""


@pytest.mark.parametrize("address", PAGES.values(), ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_what_is_read_later_moves_nothing(open_page: Any, address: str, size: str) -> None:
    page = open_page(at=address, java_script_enabled=False, **SIZES[size])
    assert page.evaluate(MOVED) == []


FOCUSED = """() => {
    const focused = document.activeElement;
    if (!focused || focused === document.body) return null;
    const seen = [...document.querySelectorAll('*')];
    const rings = [];
    // A hidden input shows its focus on the label around it.
    for (let part = focused; part && rings.length < 4; part = part.parentElement) rings.push(part);
    const { width, height, top, bottom } = focused.getBoundingClientRect();
    return {
        at: seen.indexOf(focused),
        what: focused.outerHTML.slice(0, 120),
        // Within a date the browser's own button has the focus, with the browser's own mark.
        marked: !focused.matches(':focus') || rings.some((part) => {
            const { outlineStyle, outlineWidth } = getComputedStyle(part);
            return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
        }),
        inView: width > 0 && height > 0 && bottom > 0 && top < innerHeight,
    };
}"""
REACHABLE = """() => {
    const all = [...document.querySelectorAll('*')];
    const wanted = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
    return [...document.querySelectorAll(wanted)]
        .filter((part) => !part.disabled && part.tabIndex >= 0 && part.checkVisibility({
            visibilityProperty: true, contentVisibilityAuto: true }))
        .map((part) => all.indexOf(part));
}"""


@pytest.mark.parametrize("address", PAGES.values(), ids=str)
def test_every_page_is_used_by_keyboard_alone(open_page: Any, address: str) -> None:
    page = opened(open_page, address)
    wanted = page.evaluate(REACHABLE)
    order = []
    for _ in range(len(wanted) + 20):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        assert focused["marked"], f"the focus is not seen: {focused['what']}"
        assert focused["inView"], f"the focus is out of sight: {focused['what']}"
        order.append(focused["at"])
    else:
        raise AssertionError("Tab never leads out of the page")
    assert order == sorted(order), "the focus jumps back"
    assert set(wanted) <= set(order)
    back = []
    for _ in order:
        page.keyboard.press("Shift+Tab")
        back.append(page.evaluate(FOCUSED)["at"])
    assert sorted(set(back), reverse=True) == list(dict.fromkeys(back)), "it jumps on the way back"
    assert set(wanted) <= set(back)


@pytest.mark.parametrize("address", PAGES.values(), ids=str)
@pytest.mark.parametrize("language", ["en", "hi"])
def test_every_page_is_light(open_page: Any, server: str, address: str, language: str) -> None:
    sizes: dict[str, int] = {}

    def weigh(response: Any) -> None:
        # Answers and photos are not the page.
        if "/v1/" not in response.url and not response.url.startswith(("blob:", "data:")):
            sizes[response.url] = int(response.headers.get("content-length", 0))

    page = open_page(at="reports", locale=language)
    settle(page)
    page.context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.on("response", weigh)
    page.goto(f"{server}{address}")
    settle(page)
    if "reports/" in address:  # its photos are in it
        photos = re.findall(r'"[A-Za-z0-9+/=]{400,}"', httpx.get(f"{server}{address}").text)
        sizes["photos"] = -sum(map(len, photos))
    weight = sum(sizes.values())
    assert 1000 < weight < MAX_BYTES
    if address in ("map", "place?id=3"):
        assert any("leaflet" in url for url in sizes)
        assert weight < 120_000
    elif "reports/" not in address:
        assert weight < (60_000 if language == "en" else 70_000)
