"""A place's page: what it shows, places like it, and tending it, alone and beside others."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.web.conftest import SPOT, WITHOUT_PHOTO, WITHOUT_POSITION, WritableServer
from tests.web.settling import settle
from tests.web.test_pages import check_accessible
from tests.web.test_samples import SHIFT


def test_a_place_is_shown_with_its_spot_and_nothing_moves(
    open_page: Any, writable_server: WritableServer
) -> None:
    page = open_page(writable_server.address)
    page.goto(f"{writable_server.address}place?id={SPOT}")
    expect(page.get_by_role("heading", level=1)).to_have_text("street-3/03.jpg")
    expect(page.locator("#spot-note")).to_have_text("3 photos of one spot: Gate.")
    expect(page.locator("#spot-photos li")).to_have_count(3)
    expect(page.locator("#photo img")).to_have_js_property("naturalWidth", 640)
    expect(page.locator("#map .place-pin")).to_be_visible()
    settle(page)
    assert page.evaluate(SHIFT) == 0
    page.locator("#spot-photos a").nth(1).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("street-5/05.jpg")


def test_words_stand_where_a_thumbnail_does_not_come(
    open_page: Any, writable_server: WritableServer
) -> None:
    page = open_page(writable_server.address, expected=("ERR_FAILED",))
    page.route(re.compile(r"/thumbnail(\?|$)"), lambda route: route.abort())
    page.goto(f"{writable_server.address}place?id={SPOT}#alike")
    for photos, count in ("#spot-photos", 3), ("#alike-photos", 9):
        expect(page.locator(f"{photos} .frame")).to_have_text(["No thumbnail"] * count)


def test_a_result_of_a_search_leads_to_its_page(open_page: Any, server: str, town: Any) -> None:
    page = open_page(server)
    page.set_input_files("#photo", town.query(2))
    page.locator("#results:not([aria-busy]) .card button.frame").first.click()
    page.get_by_role("dialog").get_by_role("link", name="The page of this place").click()
    expect(page).to_have_url(f"{server}place?id=2")
    expect(page.get_by_role("heading", level=1)).to_have_text("street-2/02.jpg")


def test_places_like_it_are_found_by_keyboard_without_its_spot(
    open_place: Callable[..., Page],
) -> None:
    page = open_place()
    page.locator("#find-alike").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#alike-photos li")).to_have_count(9)
    expect(page.locator("#alike-heading")).to_be_focused()
    for name in ("03.jpg", "05.jpg", "06.jpg"):
        expect(page.locator("#alike-photos").get_by_text(name)).to_have_count(0)
    again = open_place(fragment="#alike")
    expect(again.locator("#alike-photos li")).to_have_count(9)


def test_what_is_typed_is_kept(open_place: Callable[..., Page], api: httpx.Client) -> None:
    page = open_place(2, expected=("422",))
    page.get_by_label("Name", exact=True).fill("North gate")
    page.get_by_label("Note").fill("by the river")
    page.get_by_label("Tags").fill("gate, night")
    page.get_by_label("floor").fill("3")
    page.get_by_label("open").select_option("false")
    page.get_by_label("Latitude").fill("48.0025")
    page.keyboard.press("Enter")
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    expect(page.get_by_role("heading", level=1)).to_have_text("North gate")
    told = api.get("/v1/places/2").json()
    said = {key: told[key] for key in ("name", "note", "tags", "fields")}
    assert said == {
        "name": "North gate",
        "note": "by the river",
        "tags": ["gate", "night"],
        "fields": {"floor": 3, "open": False},
    }
    assert told["position"] == {"latitude": 48.0025, "longitude": 11.5}
    page.get_by_label("floor").fill("")
    page.get_by_label("Name", exact=True).fill("")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("street-2/02.jpg")
    assert api.get("/v1/places/2").json()["fields"] == {"open": False}
    page.get_by_label("Latitude").fill("")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#tend-said")).to_contain_text("give both, or none")
    page.get_by_label("Latitude").fill("98")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#tend-said")).to_contain_text("latitude")


def test_a_field_has_any_name(open_place: Callable[..., Page], api: httpx.Client) -> None:
    page = open_place(8)
    for name in ("constructor", "__proto__"):
        expect(page.get_by_label(name)).to_have_value("")
        page.get_by_label(name).fill(f"a {name}")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    fields = api.get("/v1/places/8").json()["fields"]
    assert fields == {"constructor": "a constructor", "__proto__": "a __proto__"}


def test_what_does_not_fit_is_told_in_the_language_of_the_page(
    open_place: Callable[..., Page],
) -> None:
    page = open_place(2, expected=("422",), locale="hi")
    page.get_by_label("अक्षांश").fill("98")
    page.keyboard.press("Enter")
    said = page.locator("#tend-said")
    expect(said).to_contain_text("स्थिति 98,11.5 धरती पर नहीं है")
    page.get_by_label("अक्षांश").fill("48")
    page.get_by_label("नाम", exact=True).fill("a\u200bb")
    page.keyboard.press("Enter")
    expect(said).to_have_text("नाम में ऐसे अक्षर हैं जो छप नहीं सकते; उन्हें हटाएँ।")
    check_accessible(page)


def test_a_pin_is_dragged_and_a_place_without_one_is_put_on_the_map(
    open_place: Callable[..., Page], api: httpx.Client
) -> None:
    page = open_place(8)
    page.locator("#map").scroll_into_view_if_needed()
    pin = page.locator("#map .place-pin").bounding_box()
    assert pin is not None
    x, y = pin["x"] + pin["width"] / 2, pin["y"] + pin["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=4)
    page.mouse.up()
    expect(page.get_by_label("Longitude")).not_to_have_value("11.5")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    moved = api.get("/v1/places/8").json()["position"]
    assert moved["longitude"] > 11.5
    assert moved["latitude"] == pytest.approx(48.008, abs=1e-4)

    page = open_place(WITHOUT_POSITION)
    expect(page.locator("#map .leaflet-control-scale")).to_be_visible()
    expect(page.locator("#map-how")).to_contain_text("Click on the map")
    page.locator("#map").click(position={"x": 100, "y": 100})
    expect(page.locator("#map .place-pin")).to_be_visible()
    expect(page.get_by_label("Latitude")).not_to_have_value("")


def test_of_two_people_the_second_is_told_and_keeps_what_was_typed(
    open_place: Callable[..., Page], api: httpx.Client
) -> None:
    page = open_place(9, expected=("412",))
    page.get_by_label("Note").fill("mine")
    assert api.patch("/v1/places/9", json={"note": "theirs", "tags": ["new"]}).status_code == 200
    page.get_by_role("button", name="Save", exact=True).click()
    conflict = page.locator(".conflict")
    expect(conflict).to_contain_text("Note is now “theirs”")
    expect(conflict).to_contain_text("is now “new”")
    check_accessible(page)
    expect(page.get_by_label("Note")).to_have_value("mine")
    expect(page.get_by_label("Tags")).to_have_value("new")
    assert api.get("/v1/places/9").json()["note"] == "theirs"
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    expect(conflict).to_have_count(0)
    told = api.get("/v1/places/9").json()
    assert (told["note"], told["tags"]) == ("mine", ["new"])
    assert api.patch("/v1/places/9", json={"note": "again"}).status_code == 200
    page.get_by_role("button", name="Remove this place").click()
    expect(conflict).to_contain_text("Note is now “again”")
    assert api.get("/v1/places/9").status_code == 200
    page.get_by_role("button", name="Take theirs").click()
    expect(page.get_by_label("Note")).to_have_value("again")


def test_what_cannot_be_read_is_told_and_takes_nothing_back(
    open_place: Callable[..., Page], api: httpx.Client
) -> None:
    said = {"position": {"latitude": 48.5, "longitude": 11.5}, "fields": {"floor": 3}}
    assert api.patch("/v1/places/1", json=said).status_code == 200
    page = open_place(1)
    for label, typed in (("floor", "1-2"), ("floor", "2e"), ("Latitude", "55-7")):
        before = page.get_by_label(label).input_value()
        page.get_by_label(label).fill("")
        page.get_by_label(label).press_sequentially(typed)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator("#tend-said")).to_contain_text(f"“{label}” has no value")
        expect(page.get_by_label(label)).to_be_focused()
        expect(page.get_by_label(label)).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label(label)).to_have_attribute("aria-describedby", "tend-said")
        page.get_by_label(label).fill(before)
    page.get_by_label("Longitude").fill("")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(":focus[aria-invalid=true]")).to_have_id("tend-longitude")
    page.get_by_label("Longitude").fill("11.5")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("[aria-invalid]")).to_have_count(0)
    told = api.get("/v1/places/1").json()
    assert (told["position"], told["fields"]) == (said["position"], said["fields"])


def test_what_nobody_touched_stays_as_it_is(
    open_place: Callable[..., Page], api: httpx.Client
) -> None:
    fields = {"plaque": "  two  lines\nand spaces "}
    tags = ["a,b", "gate", "gate, north"]
    assert api.patch("/v1/places/4", json={"tags": tags, "fields": fields}).status_code == 200
    kept = api.get("/v1/places/4").json()
    page = open_place(4)
    page.get_by_label("Note").fill("new")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    told = api.get("/v1/places/4").json()
    assert {**told, "note": None} == {**kept, "note": None}
    text = page.get_by_label("Tags").input_value()
    page.get_by_label("Tags").fill(f"{text}, new")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    assert sorted(api.get("/v1/places/4").json()["tags"]) == sorted([*tags, "new"])


def test_what_somebody_changed_while_it_was_removed_is_told(
    open_place: Callable[..., Page], api: httpx.Client
) -> None:
    page = open_place(7, expected=("404",))
    page.get_by_label("Tags").fill("mine")
    page.get_by_role("button", name="Remove this place").click()
    expect(page.locator("#removed")).to_be_visible()
    assert api.post("/v1/places/7/restore").status_code == 200
    assert api.patch("/v1/places/7", json={"tags": ["theirs"], "note": "n"}).status_code == 200
    page.get_by_role("button", name="Bring it back").click()
    expect(page.locator(".conflict")).to_contain_text("is now “theirs”")
    expect(page.get_by_label("Note")).to_have_value("n")
    expect(page.get_by_label("Tags")).to_have_value("mine")


def test_photos_join_a_spot_and_leave_it(
    open_place: Callable[..., Page], api: httpx.Client, town: Any
) -> None:
    page = open_place(10)
    expect(page.locator("#spot-note")).to_contain_text("No other photo")
    page.locator("#find-alike").click()
    name = "street-11/11.jpg"
    page.get_by_role("button", name=f"{name} shows the same spot").click()
    expect(page.locator("#spot-photos li")).to_have_count(2)
    expect(page.locator("#spot-heading")).to_be_focused()
    page.get_by_label("Name of the spot").fill("Mill")
    page.keyboard.press("Enter")
    expect(page.locator("#spot-note")).to_have_text("2 photos of one spot: Mill.")
    assert api.get("/v1/places/10/group").json()["name"] == "Mill"
    page.get_by_role("button", name=f"{name} is not of this spot").click()
    expect(page.locator("#spot-photos li")).to_have_count(0)
    page.set_input_files("#add-photo", town.query(0))
    expect(page.locator("#spot-photos li")).to_have_count(2)
    group = api.get("/v1/places/10/group").json()
    assert [place["name"] for place in group["places"]][1] == "query-0.jpg"
    assert group["places"][1]["position"] == group["places"][0]["position"]
    said = page.locator("#tools .actions span.note")
    expect(said).to_have_text("query-0.jpg was added.")
    page.set_input_files("#add-photo", town.query(0))
    expect(said).to_have_text("query-0.jpg is among the photos of this spot already.")
    assert api.get("/v1/places/10/group").json()["place_ids"] == group["place_ids"]
    page.get_by_role("button", name="street-10/10.jpg is not of this spot").click()
    expect(page.locator("#spot-photos li")).to_have_count(0)
    assert api.delete(f"/v1/places/{group['place_ids'][1]}").status_code == 204


def test_what_went_wrong_is_seen_where_the_page_is_long(
    open_place: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_place(10, expected=("415",))
    page.set_viewport_size({"width": 390, "height": 600})
    notes = tmp_path / "notes.jpg"
    notes.write_text("no photo")
    page.locator("#add-photo").scroll_into_view_if_needed()
    page.set_input_files("#add-photo", notes)
    problem = page.locator("#problem")
    expect(problem).to_contain_text("This file is not a photo")
    expect(problem.locator("[role=alert]")).to_be_in_viewport(ratio=1)
    page.get_by_label("Note", exact=True).fill("By the mill")
    page.get_by_role("button", name="Save").click()
    expect(problem).to_be_hidden()


def test_a_spot_that_somebody_else_has_changed_is_shown_anew(
    open_place: Callable[..., Page], api: httpx.Client
) -> None:
    page = open_place(5, expected=("412",))
    assert api.patch("/v1/places/5/group", json={"name": "Arch"}).status_code == 200
    page.get_by_role("button", name="06.jpg is not of this spot").click()
    expect(page.locator("#spot-note")).to_contain_text("Somebody else has changed")
    expect(page.get_by_label("Name of the spot")).to_have_value("Arch")
    assert api.get("/v1/places/5/group").json()["photos"] == 3
    assert api.patch("/v1/places/5/group", json={"name": "Gate"}).status_code == 200
    page.get_by_label("Name of the spot").fill("mine")
    with page.expect_response(lambda told: told.request.method == "GET") as shown_anew:
        page.keyboard.press("Enter")
    assert shown_anew.value.url.endswith("/v1/places/5/group")
    expect(page.locator("#spot-note")).to_contain_text("Somebody else has changed")
    expect(page.get_by_label("Name of the spot")).to_have_value("mine")
    expect(page.get_by_label("Name of the spot")).to_be_focused()
    assert api.get("/v1/places/5/group").json()["name"] == "Gate"
    page.keyboard.press("Enter")
    expect(page.locator("#spot-note")).to_contain_text("mine")
    api.patch("/v1/places/5/group", json={"name": "Gate"})


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "There is no such place"),
        ("hi", "ऐसी कोई जगह नहीं है"),
        ("hi-Latn", "Aisi koi jagah nahi hai"),
    ],
)
def test_a_place_that_never_was_is_told(open_page: Any, language: str, told: str) -> None:
    page = open_page(at="place?id=99", expected=("404",), locale=language)
    expect(page.get_by_role("alert").get_by_role("heading")).to_have_text(told)


def test_who_may_not_change_is_told_why(
    open_page: Any, server: str, writable_server: WritableServer
) -> None:
    page = open_page(server, expected=("404",))
    page.goto(f"{server}place?id={WITHOUT_PHOTO}")
    expect(page.locator("#tools")).to_contain_text("start it with --writable")
    expect(page.locator("#photo-note")).to_contain_text("not there any more")
    page.goto(f"{server}place?id=99")
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)

    page = open_page(writable_server.address)
    page.goto(f"{writable_server.address}place?id={SPOT}")
    expect(page.locator("#tools")).to_contain_text("type a key that may write")
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    check_accessible(page)
    page.get_by_label("API key").fill(writable_server.read_key)
    page.keyboard.press("Enter")
    expect(page.locator("#tools").get_by_role("alert")).to_contain_text("may only read")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type(writable_server.key)
    page.keyboard.press("Enter")
    expect(page.locator("#tools form.tend")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()


def test_what_is_typed_and_not_saved_is_not_lost_without_a_word(
    open_place: Callable[..., Page], writable_server: WritableServer
) -> None:
    page = open_place(0)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.get_by_label("Note", exact=True).fill("typed")
    with page.expect_event("dialog"):
        page.locator(".back a").click(no_wait_after=True)
    expect(page.get_by_label("Note", exact=True)).to_have_value("typed")
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    page.locator(".back a").click()
    expect(page).to_have_url(f"{writable_server.address}places")


@pytest.mark.parametrize("query", ["", "?id=abc", "?id=", "?id=1.5"])
def test_an_address_of_no_place_leads_to_all_places(
    open_page: Any, server: str, query: str
) -> None:
    page = open_page(server)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server}place{query}")
    expect(page.get_by_role("alert")).to_contain_text("The address names no place")
    assert not [url for url in asked if "/v1/places/" in url]
    check_accessible(page)
    page.locator("#problem").get_by_role("link", name="All places").click()
    expect(page).to_have_url(f"{server}places")


@pytest.mark.parametrize(("language", "dark"), [("hi-Latn", False), ("hi", True)], ids=str)
def test_the_page_is_accessible_and_fits_a_phone(
    open_place: Callable[..., Page], language: str, dark: bool
) -> None:
    size = {"width": 320, "height": 700}
    page = open_place(
        fragment="#alike", viewport=size, locale=language, color_scheme="dark" if dark else "light"
    )
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("#alike-photos li")).not_to_have_count(0)
    expect(page.locator("#map .leaflet-control-scale")).to_be_visible()
    check_accessible(page)
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [320] * 2
