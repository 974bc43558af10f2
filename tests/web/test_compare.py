"""The compare page."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.waiting import wait_until
from tests.web.conftest import press_until

CALIBRATED = {
    "similarity": 0.71,
    "probability": 0.93,
    "threshold": 0.5,
    "result": "same",
    "inliers": 2,
    "matches": [[10, 20, 30, 40], [500, 400, 480, 380]],
}
TOP = "part => part.getBoundingClientRect().top + scrollY"
ENDS = "part => [part.getBoundingClientRect().left, part.getBoundingClientRect().right]"


def answer(page: Page, **changes: Any) -> None:
    """Answer comparisons with this in place of the server's own."""
    body = json.dumps({**CALIBRATED, **changes})
    page.route(
        "**/v1/compare", lambda route: route.fulfill(body=body, content_type="application/json")
    )


def alpha(page: Page, canvas: str) -> Any:
    """How opaque every pixel of a canvas is."""
    png = page.locator(canvas).evaluate("canvas => canvas.toDataURL()").partition(",")[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).getchannel("A"))


def test_two_photos_get_one_verdict_from_the_server(open_page: Any, town: Any) -> None:
    page = open_page(at="compare")
    page.set_input_files("#photo-0", town.query(3))
    expect(page.locator("#working")).to_have_text("Now the other photo.")
    expect(page.locator("#live")).to_have_text("Now the other photo.")
    page.set_input_files("#photo-1", town.folder / town.name(3))
    expect(page.locator("#verdict")).to_be_visible()
    for slot in range(2):
        name = f"Photo {slot + 1}: Another photo"
        expect(page.locator(f"#photo-{slot}")).to_have_accessible_name(name)
    expect(page.locator(".grounds")).to_contain_text("Similarity")
    assert int(page.locator(".grounds dd").last.inner_text()) >= 8
    assert (alpha(page, ".lines") > 0).sum() > 500
    page.get_by_role("switch", name="Show matching points").uncheck()
    assert not alpha(page, ".lines").any()


@pytest.mark.parametrize(
    ("changes", "title", "words"),
    [
        ({}, "The same place", "93%. That is above the threshold of 50%."),
        (
            {"result": "different", "probability": 0.004},
            "Probably different places",
            "under 1%. That is below the threshold of 50%.",
        ),
        (
            {"result": "different", "probability": 0.8, "threshold": 0.97},
            "Perhaps the same place, but not for sure",
            "80%. That is below the threshold of 97%.",
        ),
    ],
)
def test_the_verdict_is_in_words(
    open_page: Any, town: Any, changes: Any, title: str, words: str
) -> None:
    page = open_page(at="compare")
    grey = "One photo is grey."
    answer(page, notes=[grey, "There is no calibration."], photo_notes=[grey], **changes)
    page.set_input_files("#photo-0", town.query(3))
    page.set_input_files("#photo-1", town.query(5))
    expect(page.get_by_role("heading", level=2).first).to_have_text(title)
    expect(page.locator("#outcome")).to_contain_text(words)
    expect(page.locator("#outcome .note")).to_have_text([grey])
    expect(page.locator(".scale")).to_have_count(1)
    expect(page.locator("#live")).to_have_text(title)


@pytest.mark.parametrize(
    ("language", "width", "height"),
    [("en", 1280, 900), ("en", 390, 844), ("hi", 390, 844), ("hi-Latn", 360, 700)],
)
def test_the_answer_comes_into_view_and_moves_little(
    open_page: Any, town: Any, language: str, width: int, height: int
) -> None:
    viewport = {"width": width, "height": height}
    page = open_page(at="compare", viewport=viewport, locale=language)
    held: list[Route] = []
    page.route("**/v1/compare", lambda route: held.append(route))
    page.set_input_files("#photo-0", town.query(3))
    expect(page.locator("#working")).to_be_visible()
    with page.expect_request("**/v1/compare"):
        page.set_input_files("#photo-1", town.query(4))
    before = page.locator(".plain").evaluate(TOP)
    body = json.dumps({**CALIBRATED, "threshold": 0.95})
    # Playwright hands the request over while it is asked for something.
    wait_until(lambda: page.evaluate("true") and bool(held), "no comparison was asked for")
    held[0].fulfill(body=body, content_type="application/json")
    expect(page.locator("#verdict")).to_be_in_viewport(ratio=1)
    expect(page.locator(".scale")).to_be_in_viewport(ratio=1)
    expect(page.locator("#answer[aria-busy]")).to_have_count(0)
    assert abs(page.locator(".plain").evaluate(TOP) - before) <= 48
    left, right = page.locator(".scale").evaluate(ENDS)
    first, last = page.locator(".scale .tick span").evaluate(ENDS)
    assert left <= first
    assert last <= right + 1


def test_lines_join_the_points(open_page: Any, town: Any) -> None:
    page = open_page(at="compare")
    answer(page, matches=[[0, 0, 596, 447]], inliers=1)
    page.set_input_files("#photo-0", town.query(3))
    page.set_input_files("#photo-1", town.query(3))
    expect(page.locator("#verdict")).to_be_visible()
    box = """(photo) => {
        const { left, top, width, height } = photo.getBoundingClientRect();
        const scale = Math.min(width / photo.naturalWidth, height / photo.naturalHeight);
        const [wide, high] = [photo.naturalWidth * scale, photo.naturalHeight * scale];
        return [left + (width - wide) / 2, top + (height - high) / 2, wide, high];
    }"""
    photos = page.locator(".slot img")
    left, top, _, _ = photos.first.evaluate(box)
    right, down, wide, high = photos.last.evaluate(box)
    lines = alpha(page, ".lines")
    x0, y0 = page.locator(".lines").evaluate(
        "canvas => [canvas.getBoundingClientRect().left, canvas.getBoundingClientRect().top]"
    )
    for x, y in ((left + 1, top + 1), (right + wide - 1, down + high - 1)):
        assert lines[round(y - y0), round(x - x0)] > 0
    assert lines[round(top - y0) + 2, round(left + wide - x0)] == 0


def test_photos_are_dropped_and_pasted(
    open_page: Any, town: Any, png_of: Callable[[Path], bytes]
) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"], at="compare")
    answer(page)
    frame = page.locator("[data-slot='1'] .frame").bounding_box()
    assert frame is not None
    devtools = page.context.new_cdp_session(page)
    for step in ("dragEnter", "dragOver", "drop"):
        devtools.send(
            "Input.dispatchDragEvent",
            {
                "type": step,
                "x": frame["x"] + 50,
                "y": frame["y"] + 50,
                "data": {"items": [], "files": [str(town.query(6))], "dragOperationsMask": 1},
            },
        )
    expect(page.locator("[data-slot='1'] figcaption")).to_contain_text("query-6.jpg")
    page.evaluate(
        """async (png) => {
            const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
            const photo = new Blob([bytes], { type: 'image/png' });
            await navigator.clipboard.write([new ClipboardItem({ 'image/png': photo })]);
        }""",
        base64.b64encode(png_of(town.query(8))).decode(),
    )
    page.keyboard.press("ControlOrMeta+V")
    expect(page.locator("[data-slot='0'] img")).to_be_visible()
    expect(page.locator("#verdict")).to_have_text("The same place")
    page.reload()
    expect(page.locator("[data-slot='1'] figcaption")).to_contain_text("query-6.jpg")
    expect(page.locator("#verdict")).to_be_visible()


def test_a_bad_photo_is_told_with_the_mend(open_page: Any, server: str, town: Any) -> None:
    page = open_page(expected=("415", "404"))
    page.goto(f"{server}compare")
    page.set_input_files("#photo-0", town.query(3))
    page.set_input_files("#photo-1", town.write("note.txt", b"hello"))
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading")).to_have_text("This file is not a photo")
    expect(alert).to_contain_text("One of query-3.jpg and note.txt")
    answer(page)
    page.set_input_files("#photo-1", town.query(4))
    expect(page.locator("#verdict")).to_be_visible()
    expect(alert).to_have_count(0)


def test_two_photos_are_compared_by_keyboard_alone(open_page: Any, town: Any) -> None:
    page = open_page(at="compare")
    answer(page)
    page.on("filechooser", lambda _: None)  # from now on the browser hands its dialogs over
    expect(page.locator("#status")).to_contain_text("12 places")

    for photo in ("#photo-0", "#photo-1"):
        with page.expect_file_chooser() as chooser:
            press_until(page, "Tab", photo)
            page.keyboard.press("Enter")
        chooser.value.set_files(town.query(3))
    expect(page.locator("#verdict")).to_have_text("The same place")
    expect(page.locator("#live")).to_have_text("The same place")
    press_until(page, "Tab", "[role=switch]")
    page.keyboard.press("Space")
    assert not alpha(page, ".lines").any()
