"""The gallery of all places."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.web.conftest import PLACES
from tests.web.test_samples import SHIFT


@pytest.fixture
def gallery(open_page: Any) -> Any:
    page = open_page(at="places")
    expect(page.locator("#places > li")).to_have_count(PLACES)
    return page


def test_all_places_are_there_and_nothing_moves(gallery: Any) -> None:
    expect(gallery.locator("#count")).to_have_text(f"{PLACES} places")
    gallery.wait_for_load_state("networkidle")
    # The head moves its status where a server has reports, as on every page.
    assert gallery.evaluate(SHIFT) < 0.005
    broken = "images => images.filter(image => !image.naturalWidth).length"
    assert gallery.locator("#places img").evaluate_all(broken) == 0


def test_places_are_sought_and_ordered(gallery: Any, town: Any) -> None:
    gallery.locator("#sort").select_option("name")
    gallery.locator("#q").fill("street-3")
    expect(gallery.locator("#count")).to_have_text("1 place")
    expect(gallery.locator("#places > li")).to_have_count(1)
    gallery.locator("#q").fill("nowhere at all")
    expect(gallery.locator("#places > li")).to_have_count(0)


def test_a_place_opens_and_is_searched_with_by_keyboard(gallery: Any) -> None:
    gallery.locator("#places a").first.focus()
    gallery.keyboard.press("Tab")
    expect(gallery.locator("#places a").nth(1)).to_be_focused()
    gallery.keyboard.press("Enter")
    expect(gallery.locator("#results:not([aria-busy]) .card").first).to_be_visible()
    gallery.go_back()
    gallery.locator("#places a").first.focus()
    gallery.keyboard.press("Enter")
    expect(gallery.locator("#viewer")).to_be_visible()


def test_only_what_is_in_view_is_in_the_document(gallery: Any) -> None:
    gallery.set_viewport_size({"width": 320, "height": 200})
    gallery.evaluate("scrollTo(0, 0)")
    below = gallery.locator(f"#places > li[aria-posinset='{PLACES}']")
    expect(below).to_have_count(0)
    gallery.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(below).to_be_visible()
