"""Narrowing a search down on the page: by folder and by day, and out of it again."""

import re
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.web.test_pages import check_accessible


def test_a_search_is_narrowed_down_by_keyboard(open_page: Any, server: str, town: Any) -> None:
    page = open_page(viewport={"width": 1280, "height": 600})
    page.set_input_files("#photo", town.query(3))
    best = page.locator("#results:not([aria-busy]) .card").first
    expect(best).to_contain_text("street-3/03.jpg")
    page.locator("#narrow summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Folder")).to_be_visible()
    check_accessible(page)
    page.get_by_label("Folder").fill("places/street-5")
    page.keyboard.press("Tab")
    expect(page).to_have_url(f"{server}?folder=places%2Fstreet-5")
    expect(page.locator("h2.not_found")).to_have_text("Not among the places that fit the filters")
    expect(page.locator("#results:not([aria-busy]) .card")).to_have_count(1)
    expect(page.locator("#narrow summary")).to_have_text("Narrow down (1 filter)")
    page.reload()
    expect(page.get_by_label("Folder")).to_have_value("places/street-5")
    page.get_by_role("button", name="Search all places").click()
    expect(best).to_contain_text("street-3/03.jpg")
    expect(page).to_have_url(server)
    expect(page.get_by_label("Folder")).to_have_value("")
    page.get_by_label("Taken from").fill("2020-01-01")
    page.keyboard.press("Tab")
    expect(page.locator("#query-facts")).to_have_text(re.compile("No place fits all filters"))
    expect(page.locator("#query-facts")).to_be_in_viewport()
    expect(page.locator("#problem")).to_be_hidden()


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The parameter taken_to lies before taken_from; swap them."),
        ("hi", "दोनों को आपस में बदलें"),
        ("hi-Latn", "dono ko aapas mein badlein"),
    ],
)
def test_swapped_days_are_told_with_the_mend(
    open_page: Any, server: str, town: Any, language: str, sentence: str
) -> None:
    page = open_page(expected=("400",), locale=language)
    held: list[Route] = []
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#results:not([aria-busy]) .card").first).to_be_visible()
    page.route("**/v1/index", lambda route: held.append(route))
    page.locator("#narrow summary").click()
    note = page.locator("#query-facts")
    for field, day in (("from", "2020-01-02"), ("to", "2020-01-01")):
        page.locator(f"#only-taken_{field}").fill(day)
        page.keyboard.press("Tab")
        if field == "from":
            expect(note).not_to_be_empty()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(sentence)
    expect(note).to_be_empty()
    expect(page.locator(".problem details")).to_have_count(0)
    page.unroute("**/v1/index")
    page.goto(f"{server}places?taken_from=2020-01-02&taken_to=2020-01-01")
    expect(alert).to_contain_text(sentence)


def test_filters_take_no_room_until_they_are_wanted(open_page: Any, server: str, town: Any) -> None:
    page = open_page(viewport={"width": 320, "height": 700})
    expect(page.locator("#narrow")).to_be_hidden()
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#results:not([aria-busy]) .card").first).to_be_visible()
    expect(page.get_by_label("Folder")).to_be_hidden()
    page.locator("#narrow summary").click()
    expect(page.get_by_label("Taken until")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.goto(f"{server}?folder=places/street-5")
    expect(page.get_by_label("Folder")).to_have_value("places/street-5")
