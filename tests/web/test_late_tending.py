"""Answers that come late or are lost: a place's page, the maps, the track, comparing, about."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.waiting import wait_until
from tests.web.settling import settle
from tests.web.test_compare import alpha, answer
from tests.web.test_track import declining, walk

LOST = ("net::ERR_FAILED",)
"""What the browser logs of a request that a test aborts."""


def hold(page: Page, address: str, method: str = "GET") -> Callable[[], Route]:
    """Hold the first request of an address; the function waits for it."""
    held: list[Route] = []

    def take(route: Route) -> None:
        if held or route.request.method != method:
            route.fallback()
        else:
            held.append(route)

    page.route(re.compile(address), take)

    def first() -> Route:
        # The browser's events come while something is asked of it.
        return wait_until(lambda: page.evaluate("true") and held, f"{address} never asked")[0]

    return first


def lose(page: Page, address: str, method: str = "GET", *, done: bool = False) -> None:
    """Lose the first request of an address, or only its answer: the server has `done` it."""

    def break_off(route: Route) -> None:
        if lost or route.request.method != method:
            route.fallback()
            return
        lost.append(route)
        if done:
            route.fetch()
        route.abort()

    lost: list[Route] = []
    page.route(re.compile(address), break_off)


def try_again(page: Page) -> None:
    page.locator("#problem").get_by_role("button", name="Try again").click()


def test_what_is_typed_while_a_place_is_saved_stays_and_is_saved_once(
    open_place: Callable[..., Page], api: httpx.Client
) -> None:
    page = open_place(8)
    patches: list[str] = []
    page.on("request", lambda sent: patches.extend([sent.url] if sent.method == "PATCH" else []))
    held = hold(page, "/v1/places/8$", "PATCH")
    note = page.get_by_label("Note", exact=True)
    note.fill("first")
    save = page.get_by_role("button", name="Save", exact=True)
    save.dblclick()
    route = held()
    note.fill("first and more")
    page.get_by_label("Tags").fill("meanwhile")
    route.continue_()
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    settle(page)
    assert len(patches) == 1
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    expect(note).to_have_value("first and more")
    save.click()
    expect(page.locator("dd").get_by_text("first and more")).to_be_visible()
    told = api.get("/v1/places/8").json()
    assert (told["note"], told["tags"]) == ("first and more", ["meanwhile"])


def test_a_save_whose_answer_is_lost_is_no_conflict(
    open_place: Callable[..., Page], api: httpx.Client
) -> None:
    page = open_place(9, expected=("412", *LOST))
    note = page.get_by_label("Note", exact=True)
    lose(page, "/v1/places/9$", "PATCH", done=True)
    note.fill("mine")
    page.get_by_role("button", name="Save", exact=True).click()
    try_again(page)
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    expect(page.locator(".conflict")).to_have_count(0)

    # Somebody else is faster, and what they said cannot be read at first.
    assert api.patch("/v1/places/9", json={"note": "theirs"}).status_code == 200
    lose(page, "/v1/places/9$")
    note.fill("mine again")
    page.get_by_role("button", name="Save", exact=True).click()
    try_again(page)
    expect(page.locator(".conflict")).to_contain_text("Note is now “theirs”")
    expect(note).to_have_value("mine again")


def test_changes_of_a_spot_follow_each_other_and_are_not_made_twice(
    open_place: Callable[..., Page],
) -> None:
    page = open_place(8, "#alike", expected=LOST)
    found = page.locator("#alike-photos li")
    expect(found).not_to_have_count(0)
    before = found.count()
    found.get_by_role("button").evaluate_all("([one, other]) => { one.click(); other.click(); }")
    expect(found).to_have_count(before - 2)
    lose(page, "/v1/places/8/group$")
    page.get_by_role("button", name="street-8/08.jpg is not of this spot").click()
    try_again(page)
    expect(page.locator("#spot-photos li")).to_have_count(0)
    expect(page.locator("#spot-note")).to_contain_text("No other photo")


def test_a_photo_is_added_again_by_its_key_and_takes_nothing_that_is_typed(
    open_place: Callable[..., Page], api: httpx.Client, town: Any
) -> None:
    page = open_place(expected=LOST)
    before = api.get("/v1/places/3/group").json()["photos"]
    held = hold(page, "/v1/places$", "POST")
    page.set_input_files("#add-photo", town.query(9))
    first = held()
    first.fetch()
    first.abort()
    page.unroute_all()
    held = hold(page, "/v1/places$", "POST")
    try_again(page)
    second = held()
    key = "idempotency-key"
    assert first.request.headers[key] == second.request.headers[key]

    asked = declining(page)
    with page.expect_event("dialog"):
        page.locator(".back a").click(no_wait_after=True)
    assert asked == ["beforeunload"]
    name = page.get_by_label("Name of the spot")
    name.fill("The gate by the river")
    second.continue_()
    expect(page.locator("#tools .actions span.note")).to_have_text("query-9.jpg was added.")
    expect(name).to_have_value("The gate by the river")
    expect(name).to_be_focused()
    assert api.get("/v1/places/3/group").json()["photos"] == before + 1


def test_places_alike_that_come_late_leave_the_focus(open_place: Callable[..., Page]) -> None:
    page = open_place(4)
    held = hold(page, "/similar")
    page.locator("#find-alike").click()
    route = held()
    note = page.get_by_label("Note", exact=True)
    note.focus()
    route.continue_()
    expect(page.locator("#alike-photos li")).not_to_have_count(0)
    expect(note).to_be_focused()


def test_a_place_has_its_map_when_leaflet_comes_at_last(open_place: Callable[..., Page]) -> None:
    page = open_place(0, expected=LOST)
    lose(page, "/vendor/leaflet/leaflet.css$")
    page.reload()
    expect(page.locator("#tools form.tend")).to_be_visible()
    expect(page.locator("#map")).to_be_hidden()
    page.get_by_label("Note", exact=True).fill("by the mill")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#map .place-pin")).to_be_visible()


def test_the_map_comes_at_last_and_tells_of_the_place_chosen_last(
    open_page: Any, server: str
) -> None:
    page = open_page(expected=LOST)
    lose(page, "/vendor/leaflet/leaflet.js$")
    page.goto(f"{server}map")
    buttons = page.locator("#in-view-list button")
    expect(buttons).not_to_have_count(0)
    page.locator("details:has(#in-view-list)").evaluate("details => { details.open = true; }")
    held = hold(page, r"/v1/places/\d+$")
    buttons.nth(0).click()
    route = held()
    buttons.nth(1).click()
    expect(page.locator("#chosen h2")).to_have_text(buttons.nth(1).inner_text())
    route.abort()
    settle(page)
    expect(page.locator("#problem")).to_be_hidden()


def test_a_track_goes_on_at_once_and_has_its_map(open_page: Any, server: str, town: Any) -> None:
    page = open_page(expected=("429", *LOST))
    lose(page, "/vendor/leaflet/leaflet.js$")
    page.route(
        "**/frames",
        lambda route: route.fulfill(status=429, headers={"Retry-After": "60"}, body="{}"),
        times=1,
    )
    page.goto(f"{server}track")
    page.set_input_files("#files", walk(town, (2, 3)))
    expect(page.locator("#problem")).to_contain_text("Trying again in")
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#intake-note")).to_contain_text("2 frames located.", timeout=30_000)
    expect(page.locator("#map path.path")).to_have_count(1)


def test_a_comparison_that_was_replaced_takes_no_lines(
    open_page: Any, server: str, town: Any
) -> None:
    page = open_page(expected=("503",))
    page.goto(f"{server}compare")
    settle(page)
    answer(page)
    page.route("**/v1/compare", lambda route: route.fulfill(status=503, body="{}"), times=1)
    held = hold(page, "/readyz$")
    page.set_input_files("#photo-0", town.query(3))
    expect(page.locator("#working", has_text="Now the other photo.")).to_be_visible()
    page.set_input_files("#photo-1", town.query(5))
    route = held()
    page.set_input_files("#photo-1", town.query(6))
    expect(page.locator("#verdict")).to_be_visible()
    route.continue_()
    settle(page)
    switch = page.get_by_role("switch")
    switch.uncheck()
    assert not alpha(page, "canvas.lines").any()
    switch.check()
    assert alpha(page, "canvas.lines").any()


def test_the_late_example_leaves_the_problem_with_the_reader_s_photo(
    open_page: Any, server: str, town: Any
) -> None:
    page = open_page(expected=("415", *LOST))
    lose(page, "/v1/model$")
    held = hold(page, r"/v1/places/\d+/image")
    page.goto(f"{server}about")
    route = held()
    page.set_input_files("#photo", town.write("note.txt", b"hello"))
    expect(page.get_by_role("alert").last).to_contain_text("This file is not a photo")
    route.continue_()
    settle(page)
    expect(page.locator("#problem")).to_contain_text("This file is not a photo")
    page.locator("#serving").get_by_role("button", name="Try again").click()
    expect(page.locator("#serving")).to_contain_text("lite0-netvlad-1024")


@pytest.mark.parametrize(
    ("at", "lost", "shown"),
    [
        ("map", "/vendor/leaflet/leaflet.js$", "#in-view-list li"),
        ("map", r"/v1/places\?bbox=-180", "#in-view-list li"),
        ("map?place=3", "/v1/places/3$", "#chosen h2"),
        ("?of=3", "/v1/places/3$", "#results:not([aria-busy]) .card"),
        ("?place=3", "/v1/places/3$", "#viewer[open] h2"),
    ],
)
def test_what_was_lost_is_asked_again_once_the_server_answers(
    open_page: Any, server: str, at: str, lost: str, shown: str
) -> None:
    page = open_page(expected=LOST)
    told: list[str] = []
    page.expose_function("tell", lambda title: told.append(title))
    page.add_init_script(
        """new MutationObserver(() => {
            for (const part of document.querySelectorAll('#problem h2')) tell(part.textContent);
        }).observe(document, { childList: true, subtree: true });"""
    )
    lose(page, lost)
    page.goto(f"{server}{at}")
    expect(page.locator(shown).first).to_be_attached()
    assert "The connection to the server is lost" in " ".join(told)
    expect(page.locator("#problem")).to_be_hidden()
