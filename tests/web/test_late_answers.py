"""What comes late, fails or breaks off: it replaces nothing newer, and nothing waits for it."""

from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.waiting import wait_until
from tests.web.settling import settle
from tests.web.test_key import closed as closed
from tests.web.test_key import type_key
from tests.web.test_offline import ALL_KEPT
from tests.web.test_state import first_card

FAILED = ("ERR_FAILED",)
WITHIN_A_CIRCLE = "?near=48.003,11.5&radius_m=300"
CUT_OFF_ONCE = """
const real = window.fetch;
let left = 1;
const broken = () => new ReadableStream({ pull: (stream) => stream.error(new TypeError('cut')) });
window.fetch = async (address, sent) => {
    const answer = await real(address, sent);
    if (!`${address}`.endsWith('v1/places/3') || !left) return answer;
    left -= 1;
    return new Response(broken(), answer);
};
"""
"""An answer whose connection is lost in its middle."""


def hold(page: Page, address: str) -> list[Route]:
    """Holds the requests for an address; they go on by `let_go`."""
    held: list[Route] = []
    page.route(address, lambda route: held.append(route))
    return held


def is_held(page: Page, held: list[Route], count: int = 1) -> None:
    """Wait until so many requests are held."""
    wait_until(lambda: page.evaluate("1") and len(held) >= count, "nothing was asked")


def let_go(page: Page, held: list[Route]) -> None:
    """Let all go on that are held, and wait for what comes of it."""
    for route in held:
        route.continue_()
    settle(page)


def test_a_setting_turned_back_shows_its_own_answer(open_page: Any, server: str, town: Any) -> None:
    page = open_page(expected=("500",))
    page.set_input_files("#photo", town.query(3))
    expect(first_card(page)).to_contain_text("03.jpg")
    k = page.get_by_label("Places to show")
    late = hold(page, "**/v1/search?*k=5&*")
    k.select_option("5")
    is_held(page, late)
    # What is dimmed is not for pressing.
    page.locator("#cards .frame").first.click(force=True)
    expect(page).to_have_url(f"{server}?k=5")
    k.select_option("10")
    expect(page.locator("#results:not([aria-busy]) .card")).to_have_count(10)
    let_go(page, late)
    assert len(late) == 1
    expect(page.locator("#results:not([aria-busy]) .card")).to_have_count(10)

    page.unroute_all()
    page.route("**/v1/search?*", lambda route: route.fulfill(status=500))
    k.select_option("5")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#results")).to_be_hidden()
    k.select_option("10")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("#results:not([aria-busy]) .card")).to_have_count(10)
    page.go_back()
    expect(page.get_by_role("alert")).to_be_visible()
    page.go_back()
    expect(page.locator("#results:not([aria-busy]) .card")).to_have_count(10)


def test_a_late_place_neither_opens_nor_is_searched_with(
    open_page: Any, server: str, town: Any
) -> None:
    page = open_page(expected=FAILED)
    late = hold(page, "**/v1/places/*")
    page.goto(f"{server}?place=5")
    is_held(page, late)
    page.set_input_files("#photo", town.query(3))
    expect(first_card(page)).to_contain_text("03.jpg")
    let_go(page, late)
    expect(page.get_by_role("dialog")).to_be_hidden()

    late.clear()
    before = page.evaluate("history.length")
    page.locator(".card .again").first.dblclick()
    is_held(page, late)
    assert page.evaluate("history.length") == before + 1
    page.set_input_files("#photo", town.query(8))
    expect(first_card(page)).to_contain_text("08.jpg")
    let_go(page, late)
    expect(page).to_have_url(server)
    expect(page.locator("#preview-caption")).to_contain_text("query-8.jpg")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_newest_photo_stays(open_page: Any, server: str, town: Any) -> None:
    page = open_page()
    samples = {"queries": ["samples/3.jpg", "samples/8.jpg"], "pairs": []}
    known = {"tiles": None, "reports": False, "samples": samples}
    page.route("**/page.json", lambda route: route.fulfill(json=known))
    page.route("**/samples/8.jpg", lambda route: route.fulfill(path=town.query(8)))
    late = hold(page, "**/samples/3.jpg")
    page.reload(wait_until="commit")
    page.locator("#samples button").nth(0).click()
    is_held(page, late, 2)
    page.locator("#samples button").nth(1).click()
    expect(first_card(page)).to_contain_text("08.jpg")
    for route in late:
        route.fulfill(path=town.query(3))
    settle(page)
    expect(page.locator("#preview-caption")).to_contain_text("8.jpg")


def test_a_photo_that_is_slow_to_shrink_does_not_replace_a_newer_one(
    open_page: Any, town: Any
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (800, 1000, 3), dtype=np.uint8)
    large = [town.folder / f"large-{number}.jpg" for number in (1, 2)]
    for path in large:
        Image.fromarray(noise).save(path, quality=80)
    page = open_page(at="compare")
    model = hold(page, "**/v1/model")
    for slot, path in enumerate(large):
        page.set_input_files(f"#photo-{slot}", path)
    is_held(page, model)
    page.set_input_files("#photo-0", town.query(3))
    captions = page.locator("#couple figcaption")
    expect(captions.first).to_contain_text("query-3.jpg")
    let_go(page, model)
    expect(captions.last).to_contain_text("large-2.jpg")
    expect(captions.first).to_contain_text("query-3.jpg")


def test_an_answer_that_is_cut_off_is_a_lost_connection(open_page: Any, server: str) -> None:
    page = open_page()
    page.add_init_script(CUT_OFF_ONCE)
    page.goto(f"{server}?of=3")
    # As after a lost connection, it is asked for again.
    expect(first_card(page)).to_contain_text("03.jpg")


def test_a_key_that_is_being_typed_stays(
    open_page: Any, closed: tuple[str, str], town: Any
) -> None:
    address, secret = closed
    page = open_page(address, expected=("401",))
    expect(page.locator("#status")).to_have_text("The server asks for a key")
    late = hold(page, "**/v1/search?*")
    page.set_input_files("#photo", town.query(3))
    is_held(page, late)
    key = page.get_by_label("API key")
    key.press_sequentially(secret[:9])
    let_go(page, late)
    expect(key).to_have_value(secret[:9])
    expect(key).to_be_focused()
    page.go_back()
    expect(page.locator("body")).to_have_attribute("data-view", "start")
    expect(key).to_have_value(secret[:9])
    page.unroute_all()
    page.go_forward()
    type_key(page, secret)
    expect(first_card(page)).to_contain_text("03.jpg")


def test_with_a_key_only_the_newest_wish_goes_on(open_place: Any, writable_server: Any) -> None:
    page = open_place(5, expected=("401",))
    refused = {"type": "/problems/unauthorized", "status": 401, "detail": "Unknown key"}
    page.route("**/v1/places/5", lambda route: route.fulfill(status=401, json=refused))
    page.click("#remove")
    expect(page.get_by_role("alert")).to_be_visible()
    page.fill("#tend-note", "better a note")
    page.locator("form.tend .button").first.click()
    settle(page)
    page.unroute_all()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    type_key(page, writable_server.key)
    expect(page.get_by_role("alert")).to_have_count(0)
    settle(page)
    assert [method for method in sent if method != "GET"] == ["PATCH"]


def test_pages_open_where_the_browser_keeps_nothing_more(open_page: Any, server: str) -> None:
    page = open_page(service_workers="allow")
    page.wait_for_function(ALL_KEPT)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": server.rstrip("/"), "quotaSize": 1})
    page.goto(f"{server}compare")
    expect(page.locator("h1")).to_have_text("Do two photos show the same place?")


def test_words_that_do_not_come_are_english(open_page: Any) -> None:
    page = open_page(locale="hi", expected=FAILED)
    for missing in ("words", "page", "problems", "reasons"):
        page.route(f"**/{missing}-hi.js", lambda route: route.abort())
        page.reload()
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("#status")).to_contain_text("12")
        page.unroute_all()


def test_a_circle_is_searched_with_the_photo_of_its_own_tab(
    open_page: Any, server: str, town: Any
) -> None:
    page = open_page()
    page.set_input_files("#photo", [town.query(3), town.query(2)])
    expect(first_card(page)).to_contain_text("03.jpg")
    other = page.context.new_page()
    other.goto(server)
    other.set_input_files("#photo", town.query(8))
    expect(first_card(other)).to_contain_text("08.jpg")
    page.goto(f"{server}{WITHIN_A_CIRCLE}")
    expect(page.locator("#preview-caption")).to_contain_text("query-3.jpg, 25 kB (with 1 other")


def test_what_only_the_server_knows_is_asked_until_it_is_told(open_page: Any) -> None:
    page = open_page(expected=FAILED)
    page.route("**/page.json", lambda route: route.abort(), times=1)
    page.reload()
    expect(page.get_by_role("link", name="Reports")).to_be_visible()


def test_a_photo_that_does_not_come_is_not_said_to_be_gone(open_page: Any, town: Any) -> None:
    page = open_page(expected=FAILED)
    page.set_input_files("#photo", town.query(3))
    expect(first_card(page)).to_contain_text("03.jpg")
    settle(page)
    page.locator("#elsewhere summary").click()
    held: list[Route] = []
    page.route(
        "**/v1/places/*/image?*",
        lambda route: route.abort() if route.request.method == "HEAD" else held.append(route),
    )
    first_card(page).get_by_role("button").first.click()
    is_held(page, held)
    page.keyboard.press("ArrowRight")
    is_held(page, held, 2)
    note = page.locator("#viewer .note")
    with page.expect_event("requestfailed", lambda request: request.method == "HEAD"):
        held[0].abort()
    page.evaluate("new Promise((resolve) => setTimeout(resolve))")
    expect(note).to_be_empty()  # that photo is shown no more
    held[1].abort()
    expect(note).to_have_text("The original photo cannot be loaded now.")
