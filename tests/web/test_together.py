"""Several photos of one spot, chosen together, as one query."""

import re
from typing import Any

from playwright.sync_api import expect

RECORD = """
window.sent = [];
const { append } = FormData.prototype;
FormData.prototype.append = function (...given) {
    sent.push(given[0]);
    append.apply(this, given);
};
"""


def test_photos_chosen_together_are_one_query(open_page: Any, town: Any) -> None:
    page = open_page()
    page.evaluate(f"() => {{ {RECORD} }}")
    page.set_input_files("#photo", [town.query(3), town.query(2)])
    first = page.locator("#results:not([aria-busy]) .card .name").first
    expect(first).to_have_text(re.compile(r"street-[23]/"))
    # Both are sent once, as one query, with one answer.
    assert page.evaluate("sent") == ["photo", "photo"]
    expect(page.locator("#preview-caption")).to_contain_text("with 1 other photo of the spot")
    expect(page.locator("#choose-part")).to_be_hidden()
    # They outlast a change of page, like one photo does.
    page.reload()
    expect(first).to_have_text(re.compile(r"street-[23]/"))
    expect(page.locator("#preview-caption")).to_contain_text("with 1 other photo of the spot")
    page.set_input_files("#photo", town.query(5))
    expect(first).to_have_text("street-5/05.jpg")
    expect(page.locator("#preview-caption")).not_to_contain_text("other photo")
    expect(page.locator("#choose-part")).to_be_visible()


def test_the_viewer_shows_no_points_of_a_photo_that_may_not_be_the_one_found(
    open_page: Any, town: Any
) -> None:
    page = open_page()
    page.set_input_files("#photo", [town.query(3), town.query(2)])
    page.locator("#results:not([aria-busy]) #cards .card button").first.click()
    for _ in range(2):  # each place is of one of the photos
        expect(page.locator("#viewer figure").first).to_contain_text("with 1 other photo")
        expect(page.locator("#viewer .verified")).to_contain_text("matching points")
        expect(page.locator("#viewer .points label")).to_be_hidden()
        expect(page.locator("#viewer .shared")).to_be_empty()
        page.keyboard.press("ArrowRight")


def test_of_many_photos_none_is_blamed_for_another(open_page: Any, town: Any) -> None:
    page = open_page(expected=("422",))
    half = town.write("half.jpg", town.query(0).read_bytes()[:4000])
    page.set_input_files("#photo", [town.query(3), town.query(2), half])
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("One of these 3 photos is damaged")
    expect(alert).not_to_contain_text("query-3.jpg")


def test_photos_of_which_the_browser_knows_no_type_are_among_them(
    open_page: Any, town: Any
) -> None:
    other = town.folder / "IMG_2.HEIC"  # as phones write it
    town.view(3).save(other, "HEIF")
    town.write("notes.txt", b"no photo")
    page = open_page()
    page.set_input_files("#photo", [town.query(3), town.folder / "notes.txt", other])
    expect(page.locator("#results:not([aria-busy]) .card").first).to_contain_text("03.jpg")
    expect(page.locator("#preview-caption")).to_contain_text("with 1 other photo of the spot")


def test_that_some_of_too_many_photos_were_left_out_is_said_beside_the_answer(
    open_page: Any, town: Any
) -> None:
    page = open_page()
    page.set_input_files("#photo", [town.query(place % 2) for place in range(20)])
    expect(page.locator("#results:not([aria-busy]) .card .name").first).to_be_visible()
    expect(page.locator("#intake-note")).to_contain_text("At most 16 photos at a time")
    page.set_input_files("#photo", town.query(5))
    expect(page.locator("#preview-caption")).not_to_contain_text("other photos")
    expect(page.locator("#intake-note")).to_be_empty()
