"""Pages that Back shows as they were left.

The Chromium of the tests keeps none of them whole, so it is told that it did.
"""

from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.web.conftest import SPOT, WritableServer


def come_back(page: Page) -> None:
    """Tell a page what a browser tells it that has kept it whole."""
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")


def test_the_gallery_shows_what_was_changed_meanwhile(
    open_page: Any, writable_server: WritableServer, api: httpx.Client
) -> None:
    page = open_page(writable_server.address, viewport={"width": 320, "height": 300})
    page.goto(f"{writable_server.address}places")
    expect(page.locator("#places > li")).not_to_have_count(0)
    page.evaluate("scrollTo(0, 200)")
    renamed = page.locator("#places").get_by_text("Old mill")
    expect(renamed).to_have_count(0)
    assert api.patch("/v1/places/1", json={"name": "Old mill"}).status_code == 200
    come_back(page)
    expect(renamed).to_have_count(1)
    assert page.evaluate("scrollY") == 200


def test_a_place_is_read_again_and_what_is_typed_stays(
    open_place: Callable[..., Page], api: httpx.Client
) -> None:
    page = open_place(2, expected=("404",))
    page.get_by_label("Note").fill("by the river")
    assert api.patch("/v1/places/2", json={"name": "Ferry"}).status_code == 200
    come_back(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Ferry")
    expect(page.get_by_label("Note")).to_have_value("by the river")
    page.get_by_label("Note").fill("")
    assert api.delete("/v1/places/2").status_code == 204
    come_back(page)
    expect(page.locator("#removed")).to_contain_text("Ferry")
    assert api.post("/v1/places/2/restore").status_code == 200


def test_what_was_chosen_on_another_page_counts(
    open_page: Any, writable_server: WritableServer
) -> None:
    page = open_page(writable_server.address, at=f"place?id={SPOT}")
    expect(page.locator("#tools form.key")).to_be_visible()
    page.evaluate("localStorage.setItem('theme', 'dark')")
    come_back(page)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.evaluate("key => sessionStorage.setItem('place-search-key', key)", writable_server.key)
    come_back(page)
    expect(page.locator("#tools form.tend")).to_be_visible()
    page.evaluate("localStorage.setItem('language', 'hi')")
    come_back(page)
    expect(page.locator("html")).to_have_attribute("lang", "hi")
