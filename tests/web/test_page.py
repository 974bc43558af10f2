"""The search page, used as people use it."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Page, Route, expect

from tests.web.conftest import press_until
from tests.web.settling import settle

CARDS = "#results:not([aria-busy]) .card"


def cards(page: Page, count: int = 10) -> Any:
    """The result cards, once all are there."""
    found = page.locator(CARDS)
    expect(found).to_have_count(count)
    return found


def test_the_empty_page_says_what_to_do_and_what_is_searched(open_page: Any) -> None:
    page = open_page()
    expect(page.get_by_role("heading", level=1)).to_have_text("Find the place of a photo")
    expect(page.locator(".drop")).to_contain_text("drop it anywhere on this page, or paste it")
    status = page.locator("#status")
    expect(status).to_contain_text("12 places")
    expect(status).to_contain_text("model lite0-netvlad-1024")
    status.locator("summary").click()
    expect(status.locator(".panel")).to_be_visible()
    for fact in ("Places", "12", "with a position", "11", "1,024", "Photos skipped"):
        expect(status).to_contain_text(fact)
    expect(status).to_contain_text("places/broken.jpg")
    page.keyboard.press("Escape")
    expect(status.locator(".panel")).to_be_hidden()


def test_a_chosen_photo_finds_its_place(open_page: Any, town: Any) -> None:
    page = open_page()
    page.set_input_files("#photo", town.query(3))
    best = cards(page).first
    expect(best).to_contain_text("street-3/03.jpg")
    expect(best.locator(".rank")).to_have_text(re.compile("1$"))
    expect(best.locator(".position")).to_have_text("48.00300, 11.50000")
    similarity = float(best.locator(".number").inner_text())
    assert 0.3 < similarity <= 1
    expect(best.locator(".similarity .what")).to_have_text("Similarity")
    expect(best.locator(".similarity .what")).to_be_visible()
    bar = best.locator(".meter").evaluate(
        "bar => parseFloat(getComputedStyle(bar, '::before').width) / bar.clientWidth"
    )
    assert bar == pytest.approx(similarity, abs=0.02)
    expect(page.locator("#summary-facts")).to_have_text(
        re.compile(r"^10 of 12 places shown, answered in (\d+ ms|\d+\.\d s)$")
    )
    expect(page.locator("#order")).to_contain_text("not a probability")
    expect(page.locator("#live")).to_contain_text("The most similar place is places/")
    expect(page.locator("#preview")).to_contain_text("query-3.jpg")


def test_a_place_without_a_position_says_so(open_page: Any, town: Any) -> None:
    page = open_page()
    page.set_input_files("#photo", town.query(4))
    expect(cards(page).first).to_contain_text("street-4/04.jpg")
    expect(cards(page).first).to_contain_text("No position")


def test_the_preview_is_upright(open_page: Any, town: Any) -> None:
    page = open_page()
    page.set_input_files("#photo", town.query(5, sideways=True))
    cards(page)
    shown = Image.open(io.BytesIO(page.locator("#preview-photo").screenshot())).convert("RGB")
    assert shown.height > shown.width * 1.2
    upright = ImageOps.exif_transpose(Image.open(town.query(5, sideways=True)))
    seen, expected = (np.asarray(image.resize((30, 45)), float) for image in (shown, upright))
    assert np.abs(seen - expected).mean() < 30  # 80 when turned


def test_a_dropped_photo_is_searched(open_page: Any, town: Any) -> None:
    page = open_page()
    devtools = page.context.new_cdp_session(page)
    for step in ("dragEnter", "dragOver", "drop"):
        if step == "drop":
            expect(page.locator(".veil")).to_be_visible()
        devtools.send(
            "Input.dispatchDragEvent",
            {
                "type": step,
                "x": 40,
                "y": 700,
                "data": {"items": [], "files": [str(town.query(6))], "dragOperationsMask": 1},
            },
        )
    expect(cards(page).first).to_contain_text("street-6/06.jpg")
    expect(page.locator(".veil")).to_be_hidden()


def test_a_pasted_photo_is_searched_unless_someone_is_typing(
    open_page: Any, town: Any, png_of: Callable[[Path], bytes]
) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (png) => {
            const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
            const photo = new Blob([bytes], { type: 'image/png' });
            await navigator.clipboard.write([new ClipboardItem({ 'image/png': photo })]);
            document.querySelector('main').append(document.createElement('textarea'));
        }""",
        base64.b64encode(png_of(town.query(8))).decode(),
    )
    page.locator("textarea").focus()
    page.keyboard.press("ControlOrMeta+V")
    page.locator("#photo").focus()
    expect(page.locator("body")).to_have_attribute("data-view", "start")
    page.keyboard.press("ControlOrMeta+V")
    expect(cards(page).first).to_contain_text("street-8/08.jpg")

    page.evaluate("navigator.clipboard.writeText('no photo')")
    page.keyboard.press("ControlOrMeta+V")
    expect(page.locator("#intake-note")).to_contain_text("The clipboard holds no photo.")


def test_the_number_of_places_can_be_chosen(open_page: Any, town: Any) -> None:
    page = open_page()
    page.set_input_files("#photo", town.query(2))
    cards(page, 10)
    page.get_by_label("Places to show").select_option("5")
    cards(page, 5)
    page.get_by_label("Places to show").select_option("20")
    cards(page, 12)


def test_nothing_moves_while_photos_load(open_page: Any, town: Any) -> None:
    page = open_page()
    held: list[Route] = []
    page.route(re.compile("/(thumbnail|image)"), lambda route: held.append(route))
    page.set_input_files("#photo", town.query(1))
    cards(page)
    with page.expect_request(lambda request: "/thumbnail" in request.url and len(held) >= 3):
        page.locator("#elsewhere summary").click()
    measure = """() => [...document.querySelectorAll('.card, .card .facts, #preview, #k')]
        .map((part) => Object.values(part.getBoundingClientRect().toJSON()))"""
    before = page.evaluate(measure)
    assert len(held) >= 4
    page.unroute_all()  # what was held goes on
    sharp = re.compile(r"/image\?side=\d+$")
    expect(page.locator(".card img").first).to_have_attribute("src", sharp)
    settle(page)
    assert page.evaluate(measure) == before


def test_it_works_by_keyboard_alone(open_page: Any, town: Any) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    expect(page.locator("#status")).to_contain_text("12 places")

    with page.expect_file_chooser() as chooser:
        press_until(page, "Tab", "#photo")
        ring = page.locator(".drop").evaluate("drop => getComputedStyle(drop).outlineStyle")
        assert ring == "solid"
        page.keyboard.press("Enter")
    chooser.value.set_files(town.query(9))
    expect(cards(page).first).to_contain_text("street-9/09.jpg")

    press_until(page, "Tab", "#cards .card:first-child button.frame")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Rank 1 of 10")
    page.keyboard.press("ArrowLeft")
    expect(dialog).to_contain_text("Rank 1 of 10")
    page.keyboard.press("ArrowRight")
    expect(dialog).to_contain_text("Rank 2 of 10")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#elsewhere .card:first-child button.frame")).to_be_focused()

    press_until(page, "Shift+Tab", "#cards .card:first-child .position")
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "48.00900, 11.50000"


@pytest.mark.parametrize("start", ["the photo", "the top"])
def test_the_first_result_is_at_most_five_stops_away(
    open_page: Any, town: Any, server: str, start: str
) -> None:
    page = open_page()
    body = httpx.post(f"{server}v1/search", files={"photo": town.query(3).read_bytes()}).json()
    # Everything that may stand before the results: the photo's own position, and the estimate.
    body["query"]["position"] = {"latitude": 48.0, "longitude": 11.5}
    body["location"] = {"latitude": 48.003, "longitude": 11.5, "radius_m": 20.0}
    page.route("**/v1/search?*", lambda route: route.fulfill(json=body))
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#map .place-pin").first).to_be_visible()
    if start == "the photo":
        page.locator("#photo").focus()
    else:
        page.locator("body").press("Tab")
        page.keyboard.press("Enter")  # skip to the results
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#cards .card:first-child button.frame')"):
            break
    expect(page.locator("#cards .card:first-child button.frame")).to_be_focused()


def test_photo_and_map_stay_in_view_one_below_the_other(open_page: Any, town: Any) -> None:
    page = open_page(viewport={"width": 1280, "height": 1100})
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#map .place-pin").first).to_be_visible()
    for distance in (0, 300):
        page.mouse.wheel(0, distance)
        # Both of one frame: the photo takes its shape once it is decoded.
        query, beside = page.evaluate(
            """async () => {
                await new Promise((frame) => requestAnimationFrame(frame));
                await new Promise((frame) => requestAnimationFrame(frame));
                return ['query', 'map-box'].map((id) =>
                    document.getElementById(id).getBoundingClientRect().toJSON());
            }"""
        )
        assert query["top"] >= 0
        assert query["bottom"] < beside["top"] < query["bottom"] + 60
        assert beside["bottom"] < 1100
        assert query["left"] == beside["left"]


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_switch_shows_its_state_in_the_colours_of_the_system(
    open_page: Any, colours: str
) -> None:
    page = open_page(forced_colors="active", color_scheme=colours)
    switch = page.get_by_role("switch", name="Check geometry")

    def seen() -> np.ndarray[Any, Any]:
        return np.asarray(Image.open(io.BytesIO(switch.screenshot())).convert("L"), float)

    on = seen()
    switch.uncheck()
    off = seen()
    # Where the knob is, and what is behind it: each alone tells the state.
    half = on.shape[1] // 2
    for state, here, there in (
        (on, slice(half, None), slice(half)),
        (off, slice(half), slice(half, None)),
    ):
        assert state[:, here].std() > 40, "the knob is not seen"
        assert state[4:-4, there][:, 6:-6].std() < 20, "there is one knob"
    assert np.abs(on - off).mean() > 60


def test_a_result_opens_beside_the_photo(open_page: Any, town: Any) -> None:
    page = open_page(expected=("404",))
    page.set_input_files("#photo", town.query(7))
    best = cards(page).first
    expect(best).to_contain_text("street-7/07.jpg")
    page.locator("#elsewhere summary").click()
    page.locator(".card").nth(1).get_by_role("button").first.click()
    photos = page.locator("#viewer img")
    expect(photos).to_have_count(2)
    expect(photos.first).to_have_js_property("naturalWidth", 596)
    expect(photos.last).to_have_js_property("naturalWidth", 640)
    page.get_by_role("button", name="Previous").click()
    expect(page.locator("#viewer")).to_contain_text("street-7/07.jpg")
    expect(page.locator("#viewer")).to_contain_text("The original photo is not there any more")
    expect(photos.last).to_have_js_property("naturalWidth", 320)
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#viewer")).to_be_hidden()


def test_a_phone_never_scrolls_sideways(open_page: Any, town: Any) -> None:
    page = open_page(
        viewport={"width": 390, "height": 800},
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
    )

    def check_fits() -> None:
        for width in (390, 320):
            page.set_viewport_size({"width": width, "height": 800})
            # A page that is too wide makes a phone zoom out, and the window wider.
            assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [
                width,
                width,
            ]

    expect(page.locator("#status")).to_contain_text("12 places")
    expect(page.locator(".camera")).to_be_visible()
    assert page.locator("#camera").get_attribute("capture") == "environment"
    check_fits()
    page.set_input_files("#camera", town.query(10))
    cards(page).first.get_by_role("button").first.wait_for()
    check_fits()
    page.locator(".meaning summary").tap()
    check_fits()
    page.locator(".card button.frame").first.tap()
    expect(page.locator("#viewer")).to_be_visible()
    check_fits()


@pytest.mark.parametrize("language", ["en", "hi", "hi-Latn"])
def test_a_phone_shows_the_first_match_without_scrolling(
    open_page: Any, town: Any, language: str
) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    page = open_page(locale=language, **phone)
    page.set_input_files("#photo", town.query(3))
    card = cards(page).first
    expect(card.locator(".name")).to_have_text("street-3/03.jpg")
    expect(card).to_be_in_viewport(ratio=0.9)
    expect(page.locator("#answer-title")).to_be_in_viewport()


def test_names_are_text_never_markup(open_page: Any, town: Any) -> None:
    name = "<img src=x onerror=alert(1)>.jpg"
    photo = town.write(name, town.query(0).read_bytes())
    page = open_page()
    page.set_input_files("#photo", photo)
    cards(page)
    expect(page.locator("#preview-caption")).to_contain_text(name)


@pytest.mark.slow
def test_a_line_of_a_card_that_wraps_begins_where_the_card_does(open_page: Any, town: Any) -> None:
    page = open_page(viewport={"width": 320, "height": 700})
    page.set_input_files("#photo", town.query(3))
    away = page.locator("#results:not([aria-busy]) .card .away").first
    where = away.locator("xpath=..")
    where.evaluate("line => (line.style.width = '9rem')")
    beside, below = (part.bounding_box() for part in (where.locator(".position"), away))
    assert beside is not None
    assert below is not None
    assert below["y"] > beside["y"], "it wraps"
    assert below["x"] == pytest.approx(beside["x"], abs=0.5)
