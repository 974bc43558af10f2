"""Large letters, or those of a wide font, on a phone: nothing is cut or scrolls sideways."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.test_every_page import LANGUAGES, PAGES, SIZES, opened

TWICE = "document.documentElement.style.fontSize = '200%'"
# The drawings of reports have room for their own words only.
WIDE = (
    "* { letter-spacing: .12em !important; word-spacing: .16em !important }"
    "svg, svg * { letter-spacing: 0 !important; word-spacing: 0 !important }"
)
"""As wide as a reader may set words (WCAG 1.4.12), which is wider than any usual font."""
WIDEN = """(style) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    document.adoptedStyleSheets = [sheet];
}"""
"""Adds a style, which the pages' policy forbids to elements."""
BEYOND = """() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    const parts = [...document.querySelectorAll('body *')].filter((part) =>
        !part.closest('.leaflet-pane, .strip, .offscreen')
        && part.getBoundingClientRect().right > clientWidth + 1);
    return scrollWidth > clientWidth ? parts.map((part) => part.outerHTML.slice(0, 80)) : [];
}"""
CUT = """() => {
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const cut = [];
    while (words.nextNode()) {
        const { parentElement: part, textContent } = words.currentNode;
        // A name that is cut in a list is whole where it is opened.
        if (!part.checkVisibility({ visibilityProperty: true }) || !textContent.trim()) continue;
        if (part.closest('.offscreen, [data-view=query] h1, .name, .folder, #pair-name')) continue;
        const range = document.createRange();
        range.selectNodeContents(words.currentNode);
        const text = range.getBoundingClientRect();
        for (let box = part; box !== document.body; box = box.parentElement) {
            if (!/hidden|clip/.test(getComputedStyle(box).overflow)) continue;
            const { left, right, top, bottom } = box.getBoundingClientRect();
            const inside = text.left > left - 1 && text.right < right + 1
                && text.top > top - 3 && text.bottom < bottom + 3;
            if (!inside) cut.push(textContent);
        }
    }
    return cut;
}"""


def check_whole(page: Page, width: int = 390) -> None:
    """Nothing lies beyond the page, and no words are cut."""
    # The list of places is laid out anew a frame later.
    page.wait_for_function(f"() => !({BEYOND})().length")
    assert page.evaluate("visualViewport.width") == width
    assert page.evaluate(CUT) == []


@pytest.mark.parametrize("address", PAGES.values(), ids=str)
@pytest.mark.parametrize("language", sorted(set(LANGUAGES.values())))
def test_every_page_holds_large_letters(open_page: Any, address: str, language: str) -> None:
    page = opened(open_page, address, locale=language, **SIZES["phone"])
    page.evaluate(TWICE)
    check_whole(page)


@pytest.mark.parametrize("address", PAGES.values(), ids=str)
@pytest.mark.parametrize("language", sorted(set(LANGUAGES.values())))
def test_every_page_holds_a_wide_font(open_page: Any, address: str, language: str) -> None:
    page = opened(open_page, address, locale=language, **SIZES["phone"])
    page.evaluate(WIDEN, WIDE)
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        check_whole(page, width)
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate(TWICE)
    check_whole(page)


@pytest.fixture
def large(open_page: Any) -> Callable[[str], Page]:
    """Opens a page of large letters on a phone."""

    def start(at: str) -> Page:
        page: Page = open_page(at=at, **SIZES["phone"])
        page.evaluate(TWICE)
        return page

    return start


def test_results_hold_large_letters(large: Callable[[str], Page], town: Any) -> None:
    page = large("")
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#results:not([aria-busy]) .card").first).to_be_visible()
    page.locator("#elsewhere summary").tap()
    check_whole(page)
    widths = page.locator(".card:visible .facts").evaluate_all(
        "all => all.map((part) => part.clientWidth)"
    )
    assert min(widths) > 250, "words of a card stand beside its photo only where they have room"
    page.locator("#status summary").tap()
    expect(page.locator("#status dd").first).to_be_in_viewport()
    check_whole(page)
    page.keyboard.press("Escape")
    page.locator(".card button.frame").first.tap()
    expect(page.locator(".shared")).to_be_visible()
    check_whole(page)
    dialog = page.locator("#viewer")
    assert dialog.evaluate("part => part.scrollWidth - part.clientWidth") == 0
    expect(dialog.get_by_role("button", name="Close")).to_be_in_viewport(ratio=1)


def test_an_answer_of_two_photos_holds_large_letters(
    large: Callable[[str], Page], town: Any
) -> None:
    page = large("compare")
    for slot in ("#photo-0", "#photo-1"):
        page.set_input_files(slot, town.query(3))
    expect(page.locator("#verdict")).to_be_visible()
    check_whole(page)


def test_a_track_holds_large_letters(large: Callable[[str], Page], town: Any) -> None:
    page = large("track")
    page.set_input_files("#files", [town.query(2), town.query(3)])
    expect(page.locator("#intake-note")).to_contain_text("2 frames located.")
    check_whole(page)
