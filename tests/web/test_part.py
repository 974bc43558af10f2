"""Drawing a box on the photo, with mouse, finger and keyboard."""

import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Request, expect

PART = (200, 150, 400, 300)
"""Of the photo of place 5, this shows place 3."""


@pytest.fixture
def pasted(town: Any) -> Path:
    view = town.view(5)
    x, y, width, height = PART
    view.paste(town.view(3).crop((100, 90, 100 + width, 90 + height)), (x, y))
    out = io.BytesIO()
    view.save(out, "JPEG", quality=90)
    path: Path = town.write("pasted.jpg", out.getvalue())
    return path


def searched_boxes(page: Page) -> list[str]:
    """The boxes that the page asks for from now on, "" for none."""
    boxes: list[str] = []

    def note(request: Request) -> None:
        if "/v1/search?" in request.url:
            boxes.append(parse_qs(urlsplit(request.url).query).get("box", [""])[0])

    page.on("request", note)
    return boxes


def first_name(page: Page) -> Any:
    return page.locator("#results:not([aria-busy]) .card .name").first


def corners(page: Page) -> tuple[float, float, float, float]:
    """Where on the page `PART` begins and ends."""
    seen = page.locator("#preview-photo").bounding_box()
    assert seen is not None
    scale = seen["width"] / 640
    x, y, width, height = PART
    left, top = seen["x"] + x * scale, seen["y"] + y * scale
    return left, top, left + width * scale, top + height * scale


def test_a_box_drawn_with_the_mouse_is_searched_with(open_page: Any, pasted: Path) -> None:
    page = open_page()
    boxes = searched_boxes(page)
    page.set_input_files("#photo", pasted)
    expect(first_name(page)).to_have_text("street-5/05.jpg")
    page.get_by_role("button", name="Search with a part of it").click()
    left, top, right, bottom = corners(page)
    # Begun outside of the box that is there, so that a new one is drawn.
    page.mouse.move(left, bottom)
    page.mouse.down()
    page.mouse.move(right, top, steps=4)
    page.mouse.up()
    expect(first_name(page)).to_have_text("street-3/03.jpg")
    drawn = [int(value) for value in boxes[-1].split(",")]
    assert drawn == pytest.approx(PART, abs=4)
    # The address keeps it, and the points that are shared lie in the box.
    expect(page).to_have_url(re.compile(r"box=\d+,\d+,\d+,\d+"))
    page.locator(".card button").first.click()
    expect(page.locator("#viewer .shared")).to_contain_text("matching points")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Search with the whole photo").click()
    expect(first_name(page)).to_have_text("street-5/05.jpg")
    assert boxes[-1] == ""
    page.go_back()
    expect(first_name(page)).to_have_text("street-3/03.jpg")
    expect(page.locator("#part")).to_be_visible()


def test_a_box_drawn_with_a_finger_is_searched_with(open_page: Any, pasted: Path) -> None:
    page = open_page(has_touch=True, viewport={"width": 390, "height": 844})
    page.set_input_files("#photo", pasted)
    expect(first_name(page)).to_have_text("street-5/05.jpg")
    page.get_by_role("button", name="Search with a part of it").click()
    page.locator("#preview").scroll_into_view_if_needed()
    left, top, right, bottom = corners(page)
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        where = [{"x": x, "y": y} for x, y in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

    scrolled = page.evaluate("scrollY")
    touch("touchStart", (left, bottom))
    touch("touchMove", ((left + right) / 2, (top + bottom) / 2))
    touch("touchMove", (right, top))
    touch("touchEnd")
    expect(first_name(page)).to_have_text("street-3/03.jpg")
    assert page.evaluate("scrollY") == scrolled


def test_a_box_is_moved_and_sized_with_the_keyboard_alone(open_page: Any, pasted: Path) -> None:
    page = open_page()
    boxes = searched_boxes(page)
    page.set_input_files("#photo", pasted)
    expect(first_name(page)).to_have_text("street-5/05.jpg")
    page.get_by_role("button", name="Search with a part of it").focus()
    page.keyboard.press("Enter")
    box = page.locator("#part")
    expect(box).to_be_focused()
    expect(box).to_have_accessible_description(re.compile("arrows move it"))
    for key, times in (("ArrowRight", 3), ("ArrowDown", 3), ("Shift+ArrowRight", 6)):
        for _ in range(times):
            page.keyboard.press(key)
    for _ in range(6):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    expect(first_name(page)).to_have_text("street-3/03.jpg")
    x, y, width, height = (int(value) for value in boxes[-1].split(","))
    assert (x, y, width, height) == pytest.approx((199, 150, 397, 300), abs=6)
    expect(box).to_have_attribute("aria-label", re.compile(f"{width} × {height} pixels, {x} from"))
    # Nothing gets it out of the photo.
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
    expect(box).to_have_attribute("aria-label", re.compile("pixels, 0 from the left"))


def test_another_photo_begins_as_a_whole(open_page: Any, pasted: Path, town: Any) -> None:
    page = open_page()
    page.set_input_files("#photo", pasted)
    expect(first_name(page)).to_have_text("street-5/05.jpg")
    page.get_by_role("button", name="Search with a part of it").click()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("box="))
    page.set_input_files("#photo", town.query(2))
    expect(first_name(page)).to_have_text("street-2/02.jpg")
    expect(page.locator("#part")).to_be_hidden()
    assert "box=" not in page.url
