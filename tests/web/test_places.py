"""The gallery of all places."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import expect

from tests.web.conftest import PLACES
from tests.web.settling import settle
from tests.web.test_samples import SHIFT


@pytest.fixture
def gallery(open_page: Any) -> Any:
    page = open_page(at="places")
    expect(page.locator("#places > li")).to_have_count(PLACES)
    return page


def test_all_places_are_there_and_nothing_moves(gallery: Any) -> None:
    expect(gallery.locator("#count")).to_have_text(f"{PLACES} places")
    settle(gallery)
    assert gallery.evaluate(SHIFT) == 0
    broken = "images => images.filter(image => !image.naturalWidth).length"
    assert gallery.locator("#places img").evaluate_all(broken) == 0
    asked = "performance.getEntriesByType('resource').filter(({ name }) => /thumbnail/.test(name))"
    columns = gallery.evaluate("Math.floor(document.querySelector('#places').clientWidth / 150)")
    assert gallery.evaluate(f"{asked}.length") == -(-PLACES // columns), "one request a row"
    larger = """images => images.filter(image =>
        Math.max(image.naturalWidth, image.naturalHeight) > image.clientWidth + 80).length"""
    assert gallery.locator("#places img").evaluate_all(larger) == 0, "more pixels than are shown"


def test_places_are_sought_and_ordered(gallery: Any, town: Any) -> None:
    gallery.locator("#sort").select_option("name")
    gallery.locator("#q").fill("street-3")
    expect(gallery.locator("#count")).to_have_text("1 place")
    expect(gallery.locator("#places > li")).to_have_count(1)
    gallery.locator("#q").fill("nowhere at all")
    expect(gallery.locator("#places > li")).to_have_count(0)


def test_what_is_refused_leaves_no_places_of_another_question(open_page: Any) -> None:
    gallery = open_page(at="places", expected=("400",))
    expect(gallery.locator("#places > li")).to_have_count(PLACES)
    gallery.locator("#taken_from").evaluate(
        "field => { document.querySelector('#taken_to').value = '2026-05-01';"
        " field.value = '2026-05-02'; field.dispatchEvent(new Event('input')); }"
    )
    expect(gallery.locator("#problem")).to_contain_text("swap them")
    expect(gallery.locator("#places > li")).to_have_count(0)
    expect(gallery.locator("#count")).to_have_text("")


def test_a_place_opens_and_others_like_it_are_found_by_keyboard(gallery: Any, town: Any) -> None:
    gallery.locator("#places a").first.focus()
    gallery.keyboard.press("Tab")
    expect(gallery.locator("#places a").nth(1)).to_be_focused()
    gallery.keyboard.press("Enter")
    expect(gallery.locator("#alike-photos li").first).to_be_visible()
    gallery.go_back()
    gallery.locator("#places a").first.focus()
    gallery.keyboard.press("Enter")
    expect(gallery.get_by_role("heading", level=1)).to_have_text("street-0/00.jpg")


def test_the_address_keeps_what_is_asked(gallery: Any, server: str) -> None:
    gallery.locator("#folder").fill("places/street-1")
    expect(gallery.locator("#count")).to_have_text("1 place")
    assert gallery.url == f"{server}places?folder=places%2Fstreet-1"
    gallery.locator("#places a").first.click()
    gallery.go_back()
    expect(gallery.locator("#folder")).to_have_value("places/street-1")
    expect(gallery.locator("#count")).to_have_text("1 place")
    gallery.locator("#folder").fill("")
    expect(gallery.locator("#count")).to_have_text(f"{PLACES} places")
    gallery.get_by_label("Taken from").fill("2024-05-01")
    expect(gallery.locator("#count")).to_have_text("0 places")
    assert gallery.url == f"{server}places?taken_from=2024-05-01"


def test_only_what_is_in_view_is_in_the_document(gallery: Any) -> None:
    gallery.set_viewport_size({"width": 320, "height": 200})
    gallery.evaluate("scrollTo(0, 0)")
    below = gallery.locator(f"#places > li[aria-posinset='{PLACES}']")
    expect(below).to_have_count(0)
    gallery.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(below).to_be_visible()


@pytest.mark.parametrize("change", [-6, 6], ids=["removed", "added"])
def test_places_that_others_change_between_two_pages_leave_no_hole(
    gallery: Any, server: str, change: int
) -> None:
    first = gallery.request.get(f"{server}v1/places?limit=5").json()
    rest = gallery.request.get(f"{server}v1/places?cursor={first['next_cursor']}").json()

    def answer(route: Any) -> None:
        is_second = "cursor=" in route.request.url
        route.fulfill(json=rest | {"total": PLACES + change} if is_second else first)

    gallery.route("**/v1/places?*", answer)
    gallery.set_viewport_size({"width": 320, "height": 700})
    gallery.reload()
    expect(gallery.locator("#places > li")).not_to_have_count(0)
    gallery.evaluate("scrollTo(0, document.body.scrollHeight)")
    last = gallery.locator(f"#places > li[aria-posinset='{PLACES}']")
    expect(last).to_be_visible()
    settle(gallery)
    empty = """last => document.querySelector('#places').getBoundingClientRect().bottom
        - last.getBoundingClientRect().bottom"""
    assert last.evaluate(empty) < 50


def test_spots_are_counted_as_such_though_the_first_page_has_none(
    gallery: Any, server: str
) -> None:
    first = gallery.request.get(f"{server}v1/places?limit=5").json()
    spots = first | {"total": PLACES - 2}

    def answer(route: Any) -> None:
        route.fulfill(json=spots if "spots=true" in route.request.url else first)

    gallery.route("**/v1/places?*", answer)
    gallery.reload()
    expect(gallery.locator("#count")).to_have_text(f"{PLACES - 2} spots")
    expect(gallery.locator("#each-label")).to_be_visible()


def test_an_empty_index_says_how_it_is_filled(gallery: Any, server: str) -> None:
    none = {"total": 0, "places": [], "next_cursor": None}
    template = gallery.request.get(f"{server}v1/places?limit=1").json()
    gallery.route("**/v1/places?*", lambda route: route.fulfill(json=template | none))
    gallery.reload()
    expect(gallery.get_by_role("alert")).to_contain_text("This index holds no places yet")
    gallery.locator("#q").fill("nowhere")
    expect(gallery.get_by_role("alert")).to_be_hidden()


def test_who_comes_back_is_where_they_were(gallery: Any) -> None:
    gallery.set_viewport_size({"width": 320, "height": 300})
    gallery.evaluate("scrollTo(0, 500)")
    last = gallery.locator(f"#places > li[aria-posinset='{PLACES}'] a").first
    last.click()
    expect(gallery.locator("#photo img")).to_be_visible()
    gallery.go_back()
    expect(gallery.locator("#places > li")).not_to_have_count(0)
    expect(last).to_be_in_viewport()
    gallery.locator("#q").fill("street-3")
    expect(gallery.locator("#count")).to_have_text("1 place")
    assert gallery.evaluate("scrollY") < 500


def test_a_row_that_a_busy_server_refuses_is_asked_again(open_page: Any, server: str) -> None:
    page = open_page(expected=("429", "404"))
    refusals = [429, 429]

    def answer(route: Any) -> None:
        if refusals:
            route.fulfill(status=refusals.pop(), headers={"Retry-After": "1"}, json={})
        else:
            route.continue_()

    page.route("**/v1/thumbnails?*", answer)
    page.goto(f"{server}places")
    expect(page.locator("#places img[src^='data:']")).to_have_count(PLACES)
    assert refusals == []

    page.route("**/v1/thumbnails?*", lambda route: route.fulfill(status=404, json={}))
    page.reload()
    expect(page.locator("#places .missing")).to_have_count(PLACES)


MANY = 100_000
LONGEST = """() => new Promise((resolve) => {
    let [longest, before, steps] = [0, performance.now(), 0];
    const step = (now) => {
        longest = Math.max(longest, now - before);
        before = now;
        scrollBy(0, 400);
        if (++steps < 60) requestAnimationFrame(step);
        else resolve(longest);
    };
    requestAnimationFrame(step);
})"""


def test_a_hundred_thousand_places_scroll_with_few_of_them_in_the_document(
    gallery: Any, server: str
) -> None:
    template = gallery.request.get(f"{server}v1/places?limit=1").json()

    def answer(route: Any) -> None:
        query = dict(parse_qsl(urlsplit(route.request.url).query))
        start, limit = int(query.get("cursor", 0)), int(query["limit"])
        ids = range(start, min(start + limit, MANY))
        places = [template["places"][0] | {"place_id": id_, "name": f"{id_}.jpg"} for id_ in ids]
        following = str(start + limit) if start + limit < MANY else None
        reply = {"total": MANY, "places": places, "next_cursor": following}
        route.fulfill(json=template | reply)

    gallery.route("**/v1/places?*", answer)
    gallery.reload()
    expect(gallery.locator("#count")).to_have_text("100,000 places")
    longest = gallery.evaluate(LONGEST)
    assert longest < 250, "a frame that takes longer is seen as a stop, on a busy machine too"
    assert gallery.locator("#places > li").count() < 150
    gallery.evaluate("scrollTo(0, document.body.scrollHeight)")
    last = gallery.locator(f"#places > li[aria-posinset='{MANY}']")
    expect(last).to_be_visible()
    expect(last).to_have_attribute("aria-setsize", str(MANY))
    assert gallery.locator("#places > li").count() < 150
    assert gallery.evaluate(SHIFT) == 0
    gallery.evaluate("scrollTo(0, 0)")
    expect(gallery.locator("#places > li[aria-posinset='1']")).to_be_visible()
