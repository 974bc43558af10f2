"""A server that asks for a key, and pages on which it is typed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from playwright.sync_api import Page, expect

from place_search.search.server.keys import new_key
from tests.web.conftest import SPOT, WritableServer
from tests.web.test_pages import check_accessible


@pytest.fixture
def closed(start_server: Callable[..., str], reports: Path, tmp_path: Path) -> tuple[str, str]:
    """The address of a server that asks for a key, and the key."""
    secret, key = new_key("me", "read")
    (tmp_path / "keys").write_text(key.line)
    return start_server("--keys", str(tmp_path / "keys"), "--reports", str(reports)), secret


def type_key(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.keyboard.press("Enter")


def test_a_key_is_typed_and_opens_all_pages(
    open_page: Any, closed: tuple[str, str], town: Any
) -> None:
    address, secret = closed
    page = open_page(address, expected=("401",))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The server asks for a key")
    expect(page.locator("#status")).to_have_text("The server asks for a key")
    check_accessible(page)
    type_key(page, "ps_wrong")
    expect(alert).to_contain_text("The server does not know this key")
    # A photo that comes in meanwhile waits for the key too.
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#preview-photo")).to_be_visible()
    expect(alert).to_contain_text("The server does not know this key")
    type_key(page, f" {secret}\n")
    best = page.locator("#results:not([aria-busy]) .card").first
    expect(best).to_contain_text("street-3/03.jpg")
    expect(page.locator("#status")).to_contain_text("12 places")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(best.locator("img")).to_have_js_property("naturalWidth", 560)
    page.locator("#elsewhere summary").click()
    expect(page.locator(".card img").nth(1)).to_have_js_property("naturalWidth", 320)
    best.get_by_role("button").first.click()
    expect(page.locator("#viewer .shared")).to_contain_text("matching points")
    expect(page.locator("#viewer img").last).to_have_js_property("naturalWidth", 640)

    page.goto(f"{address}map?place=5")
    expect(page.locator("#map-note")).to_contain_text("in view")
    expect(page.locator("#chosen img")).to_have_js_property("naturalWidth", 320)
    for other in ("compare", "track", "about", "reports"):
        page.goto(f"{address}{other}")
        expect(page.locator("#status")).to_contain_text("12 places")
    expect(page.locator(".report")).to_have_count(1)
    kept = page.evaluate("[localStorage.length, document.cookie, {...sessionStorage}]")
    assert kept == [0, "", {"place-search-key": secret, "place-search-photo": ANY}]


def test_the_key_is_kept_for_one_tab(open_page: Any, closed: tuple[str, str]) -> None:
    address, secret = closed
    page = open_page(address, expected=("401",))
    page.goto(f"{address}map?place=5")
    expect(page.get_by_role("alert")).to_contain_text("The server asks for a key")
    type_key(page, secret)
    expect(page.locator("#chosen")).to_contain_text("street-5/05.jpg")
    thumbnail = page.wait_for_function(
        "performance.getEntriesByType('resource').map(({ name }) => name)"
        ".find((name) => name.includes('thumbnail?v='))"
    ).json_value()
    other = page.context.new_page()
    other.goto(address)
    expect(other.get_by_role("alert")).to_contain_text("The server asks for a key")
    for cache in ("default", "force-cache"):
        asked = "([at, cache]) => fetch(at, { cache }).then(({ status }) => status)"
        assert other.evaluate(asked, [thumbnail, cache]) == 401
    other.goto(f"{address}reports")
    expect(other.get_by_role("alert")).to_contain_text("The server asks for a key")
    type_key(other, secret)
    expect(other.locator(".report")).to_have_count(1)


def test_a_browser_is_asked_for_a_report(
    open_page: Any, closed: tuple[str, str], reports: Path
) -> None:
    address, secret = closed
    page = open_page(
        f"{address}reports/town/", http_credentials={"username": "", "password": secret}
    )
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_each_refusal_says_how_a_key_is_shown(closed: tuple[str, str]) -> None:
    address, _ = closed
    for path, accept, challenge in (
        ("v1/index", "*/*", "Bearer"),
        ("v1/places/0/thumbnail", "image/avif,image/webp,*/*", "Bearer"),
        ("metrics", "*/*", "Bearer"),
        ("reports/town/", "text/html,application/xhtml+xml,*/*;q=0.8", "Basic"),
    ):
        for key in ({}, {"X-API-Key": "ps_wrong"}):
            answer = httpx.get(f"{address}{path}", headers={"Accept": accept, **key})
            assert answer.status_code == 401
            assert re.match(rf"{challenge} realm=", answer.headers["www-authenticate"])
            said = answer.json()["detail"]
            assert said.endswith("type it on the page, or send it as Authorization: Bearer KEY.")


def test_who_has_a_key_that_is_none_goes_on_without(
    open_page: Any, writable_server: WritableServer
) -> None:
    page = open_page(writable_server.address, expected=("401",))
    page.goto(f"{writable_server.address}place?id={SPOT}")
    type_key(page, "ps_revoked")
    expect(page.get_by_role("alert")).to_contain_text("The server does not know this key")
    page.goto(f"{writable_server.address}places")
    expect(page.get_by_role("alert")).to_contain_text("The server does not know this key")
    check_accessible(page)
    page.get_by_role("button", name="Go on without a key").press("Enter")
    expect(page.locator("#places > li")).not_to_have_count(0)
    expect(page.locator("#status")).to_contain_text("12 places")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.reload()
    expect(page.locator("#places > li")).not_to_have_count(0)
