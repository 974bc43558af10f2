"""The map page, and the map beside the results."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.search.tile_file import write_tiles
from tests.web.test_pages import check_accessible


def open_map(open_page: Any, server: str, query: str = "", **options: Any) -> Page:
    page: Page = open_page(**options)
    page.goto(f"{server}map{query}")
    expect(page.locator("#map-note")).to_contain_text("places with a position are in view")
    return page


def test_all_places_are_on_the_map(open_page: Any, server: str) -> None:
    page = open_map(open_page, server)
    expect(page.locator("#map-note")).to_have_text(
        "11 of 11 places with a position are in view. 1 place has none."
    )
    expect(page.locator(".leaflet-control-scale-line")).to_have_text(re.compile("k?m$"))
    for _ in range(2):  # a click while the map still moves counts for nothing
        before = page.url
        page.get_by_role("button", name="Zoom in").click()
        expect(page).not_to_have_url(before)
    expect(page.locator("#map-note")).not_to_contain_text("11 of 11")
    expect(page).to_have_url(re.compile(r"at=48\.\d+,11\.\d+,\d+"))


def test_a_place_is_found_on_the_map_and_searched_with(open_page: Any, server: str) -> None:
    page = open_map(open_page, server, "?at=48.003,11.5,17")
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    chosen = page.locator("#chosen")
    expect(chosen).to_contain_text("street-3/03.jpg")
    expect(page).to_have_url(re.compile("place=3"))
    page.reload()
    expect(chosen).to_contain_text("48.00300, 11.50000")
    chosen.get_by_role("link", name="Search with this photo").click()
    expect(page.locator(".card").first).to_contain_text("street-3/03.jpg")
    expect(page).to_have_url(f"{server}?of=3")
    page.go_back()
    expect(chosen).to_contain_text("street-3/03.jpg")


def test_results_far_away_do_not_stretch_the_map(open_page: Any, server: str, town: Any) -> None:
    page = open_page()
    body = httpx.post(f"{server}v1/search", files={"photo": town.query(3).read_bytes()}).json()
    body["location"] = {"latitude": 48.003, "longitude": 11.5, "radius_m": 30.0}
    for result, (latitude, longitude) in zip(
        body["results"],
        [(48.003, 11.5), (48.0031, 11.5), (56.8428, 11.5), (-33.0, 151.0), (48.004, 11.5)],
        strict=False,
    ):
        result["position"] = {"latitude": latitude, "longitude": longitude}
    page.route("**/v1/search?*", lambda route: route.fulfill(json=body))
    for location in (True, False):
        if not location:
            body["location"] = None
        page.set_input_files("#photo", town.query(3 if location else 5))
        expect(page.locator("#results:not([aria-busy]) .card")).to_have_count(10)
        best, far = body["results"][0], body["results"][2]
        # A pin is a button with the place's name, for whoever cannot see where it is.
        pin = page.locator("#map").get_by_role("button", name=f"Rank 1: {best['name']}", exact=True)
        expect(pin).to_be_visible()
        expect(page.locator("#large-map")).to_have_attribute(
            "href", re.compile(r"^map\?at=48\.00\d+,11\.[45]\d+,1[2-8]$")
        )
        if location:
            card = page.locator(".card").nth(2)
            expect(card).to_contain_text(far["name"].split("/")[-1])
            expect(card.locator(".away")).to_have_text(re.compile(r"^983 km from the estimate$"))


@pytest.mark.parametrize("language", ["en", "hi"])
def test_distances_are_rounded(open_page: Any, server: str, language: str) -> None:
    page = open_page(locale=language)
    rounded = {9.96: "10", 999.7: "1.0", 12_345: "12.3", 99_960: "100", 983_134: "983"}
    for metres, said in {**rounded, 12_345_678: "12,346"}.items():
        page.goto(f"{server}?near=48,11.5&radius_m={metres}")
        expect(page.locator("#area")).to_have_text(re.compile(rf"(?<![\d.,]){said}(?![\d.,]*\d)"))


def test_places_are_reached_without_a_pointer(open_page: Any, server: str) -> None:
    page = open_map(open_page, server, "?at=48.005,11.5,15")
    page.locator("#in-view summary").press("Enter")
    page.get_by_role("button", name="street-5/05.jpg").press("Enter")
    expect(page.locator("#chosen")).to_contain_text("street-5/05.jpg")
    page.get_by_label("Radius in metres").fill("250")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Search within 250 m")).to_be_visible()
    expect(page).to_have_url(re.compile(r"near=48\.005,11\.5&radius_m=250"))
    page.get_by_role("button", name="Remove the circle").press("Enter")
    expect(page.get_by_role("link", name="Search within")).to_have_count(0)


def test_a_drawn_circle_is_searched_in(open_page: Any, server: str, town: Any) -> None:
    page = open_map(open_page, server, "?at=48.005,11.5,16")
    page.get_by_role("button", name="Draw on the map").click()
    box = page.locator("#map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 80, steps=3)
    page.mouse.up()
    # 100 pixels at this zoom and latitude are 160 m: the two neighbours lie 111 m away.
    page.get_by_role("link", name=re.compile("Search within 1(5|6)[0-9] m")).click()
    expect(page.locator("#area")).to_contain_text("Only places within 1")
    page.set_input_files("#photo", town.query(5))
    cards = page.locator("#results:not([aria-busy]) .card")
    expect(cards).to_have_count(2)  # street-4 has no position
    expect(cards.first).to_contain_text("street-5/05.jpg")
    page.get_by_role("button", name="Search everywhere").click()
    expect(cards).to_have_count(10)
    page.go_back()
    expect(cards).to_have_count(2)


def test_a_circle_is_drawn_by_touch(open_page: Any, server: str) -> None:
    phone = {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True}
    page = open_map(open_page, server, "?at=48.005,11.5,16", **phone)
    page.get_by_role("button", name="Draw on the map").tap()
    expect(page.locator("#draw-how")).to_contain_text("Press on the map for the middle")
    box = page.locator("#map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    devtools = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x + 30, "y": y + 40}]),
        ("touchMove", [{"x": x + 60, "y": y + 80}]),
        ("touchEnd", []),
    ):
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect(page.get_by_role("link", name=re.compile("Search within 1(5|6)[0-9] m"))).to_be_visible()
    expect(page.locator("#draw-how")).to_have_text("")


def test_the_results_are_on_a_map_beside_them(open_page: Any, town: Any) -> None:
    page = open_page()
    page.set_input_files("#photo", town.query(2))
    expect(page.locator("#results:not([aria-busy]) .card").first).to_contain_text("02.jpg")
    pins = page.locator("#map .place-pin")
    expect(page.locator("#map .place-pin.first")).to_have_text("1")
    expect(pins).to_have_count(1)  # the others are probably elsewhere
    page.locator("#map .place-pin.first").press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("street-2/02.jpg")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Open the large map").click()
    expect(page.locator("#map-note")).to_contain_text("places with a position are in view")


def test_a_map_whose_server_is_away_says_so_and_goes_on(open_page: Any, server: str) -> None:
    page = open_map(
        open_page, server, "?at=48.005,11.5,15", expected=("ERR_INTERNET_DISCONNECTED",)
    )
    page.context.set_offline(True)
    page.get_by_role("button", name="Zoom out").click()
    expect(page.locator("#status")).to_contain_text("No answer from the server; asking again")
    page.get_by_role("button", name="Zoom out").click()
    page.context.set_offline(False)
    expect(page.locator("#status")).to_contain_text("12 places")
    page.locator("#in-view summary").click()
    expect(page.locator("#in-view-list li")).to_have_count(11)


def test_no_place_lies_below_the_zoom_buttons_at_first(open_page: Any, server: str) -> None:
    page = open_page(viewport={"width": 844, "height": 390})
    corners = [[13.2, 55.7], [153.0, -27.5]]

    def far_apart(route: Any) -> None:
        reply = route.fetch()
        features = [
            {**dot, "geometry": {"type": "Point", "coordinates": corner}}
            for dot, corner in zip(reply.json()["features"], corners, strict=False)
        ]
        route.fulfill(response=reply, json={**reply.json(), "places": 2, "features": features})

    def at_the_west(route: Any) -> None:
        reply = route.fetch()
        longitude, latitude = corners[0]
        position = {"latitude": latitude, "longitude": longitude}
        route.fulfill(response=reply, json={**reply.json(), "position": position})

    page.route("**/v1/places?*", far_apart)
    page.route("**/v1/places/*", at_the_west)
    page.goto(f"{server}map")
    page.locator("#in-view summary").click()
    page.locator("#in-view-list button").first.click()
    dot = page.locator("#map .chosen-dot").bounding_box()
    buttons = page.locator("#map .leaflet-control-zoom").bounding_box()
    assert dot is not None
    assert buttons is not None
    assert dot["x"] > buttons["x"] + buttons["width"]


def test_an_index_without_positions_says_so(open_page: Any, server: str) -> None:
    page = open_page()

    def without(route: Any) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json={**reply.json(), "positions": 0})

    page.route("**/v1/index", without)
    page.route("**/v1/places?*", lambda route: route.fulfill(json={"places": 0, "features": []}))
    page.goto(f"{server}map")
    expect(page.locator("#map-note")).to_contain_text("No place of this index has a position.")


def test_a_file_of_tiles_is_the_ground_of_the_map(
    open_page: Any, start_server: Callable[..., str], tmp_path: Path
) -> None:
    file = write_tiles(tmp_path / "world.pmtiles", range(6))
    address = start_server("--tiles-file", str(file))
    page = open_page(address)
    page.goto(f"{address}map?at=48.003,11.5,17")
    expect(page.locator("#map-note")).to_contain_text("places with a position are in view")
    # Closer than the file goes, its last zoom is shown larger.
    tiles = page.locator(".leaflet-tile-loaded")
    expect(tiles.first).to_have_attribute("src", re.compile(r"/tiles/5/17/11$"))
    page.goto(f"{address}map?at=48,11.5,4")
    expect(tiles.first).to_have_attribute("src", re.compile(r"/tiles/4/\d+/\d+$"))
    expect(page.locator(".leaflet-control-attribution")).to_have_text("© The mappers & friends")


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "No background map"),
        ("hi", "पीछे नक्शा नहीं है"),
        ("hi-Latn", "Peeche naksha nahi hai"),
    ],
)
@pytest.mark.parametrize(("width", "height"), [(320, 700), (844, 390)])
def test_a_map_without_a_ground_says_why(
    open_page: Any, language: str, told: str, width: int, height: int
) -> None:
    page = open_page(at="map", locale=language, viewport={"width": width, "height": height})
    why = page.locator("#map .leaflet-control-attribution")
    expect(why).to_contain_text(told)
    expect(why).to_contain_text("--tiles-file")
    scale, said = page.evaluate(
        """() => ['scale', 'attribution'].map((part) =>
            document.querySelector(`.leaflet-control-${part}`).getBoundingClientRect())"""
    )
    assert scale["right"] <= said["left"]
    check_accessible(page)
