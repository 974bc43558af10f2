"""What stays: addresses, back and forward, a search from a search, and the saved answer."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.waiting import SECONDS, wait_until
from tests.web.conftest import WritableServer


def first_card(page: Page) -> Any:
    return page.locator("#results:not([aria-busy]) .card").first


def test_the_address_holds_what_is_asked(open_page: Any, server: str, town: Any) -> None:
    page = open_page()
    page.set_input_files("#photo", town.query(2))
    expect(first_card(page)).to_contain_text("02.jpg")
    page.get_by_label("Places to show").select_option("5")
    expect(page).to_have_url(f"{server}?k=5")
    expect(page.locator(".card")).to_have_count(5)
    page.get_by_role("switch", name="Check geometry").uncheck()
    expect(page).to_have_url(f"{server}?k=5&verify=false")
    page.locator("#results:not([aria-busy]) .card button.frame").first.click()
    expect(page).to_have_url(f"{server}?k=5&verify=false&place=2")
    expect(page.get_by_role("dialog")).to_contain_text("Rank 1 of 5")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog")).to_contain_text("Rank 2 of 5")
    page.reload()
    expect(page.get_by_role("dialog")).to_contain_text("Rank 2 of 5")
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{server}?k=5&verify=false")
    page.go_back()
    expect(page).to_have_url(f"{server}?k=5")
    expect(page.get_by_role("switch", name="Check geometry")).to_be_checked()
    page.go_back()
    expect(page.locator(".card")).to_have_count(10)
    page.go_forward()
    expect(page.locator(".card")).to_have_count(5)


def test_a_link_says_that_it_holds_no_photo(open_page: Any, town: Any) -> None:
    page = open_page(at="?k=5&place=3")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("street-3/03.jpg")
    expect(dialog.get_by_role("switch")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#intake-note")).to_contain_text("but never the photo")
    page.set_input_files("#photo", town.query(3))
    expect(page.locator(".card")).to_have_count(5)


def test_a_found_photo_is_searched_with_and_back_again(open_page: Any, town: Any) -> None:
    page = open_page()
    page.set_input_files("#photo", town.query(3))
    expect(first_card(page)).to_contain_text("03.jpg")
    page.locator("#elsewhere summary").click()
    second = page.locator(".card").nth(1)
    name = second.locator(".name").inner_text()
    second.get_by_role("button", name="Search with this photo").click()
    expect(first_card(page)).to_contain_text(name)
    assert (
        float(first_card(page).locator(".number").inner_text()) > 0.9
    )  # the photo as the page gets it is a new JPEG
    expect(page.locator("#preview-caption")).to_contain_text(name)
    page.go_back()
    expect(first_card(page)).to_contain_text("street-3/03.jpg")
    expect(page.locator("#preview-caption")).to_contain_text("query-3.jpg")
    page.go_forward()
    expect(first_card(page)).to_contain_text(name)


def test_the_answer_is_saved_as_json(open_page: Any, town: Any, tmp_path: Path) -> None:
    page = open_page()
    page.set_input_files("#photo", town.query(3))
    expect(first_card(page)).to_contain_text("03.jpg")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as JSON").click()
    download.value.save_as(tmp_path / "places.json")
    saved = json.loads((tmp_path / "places.json").read_text("utf-8"))
    assert saved["results"][0]["name"] == town.name(3)
    assert len(saved["results"]) == 10


def test_verified_places_and_the_estimate_are_in_words(
    open_page: Any, server: str, town: Any
) -> None:
    page = open_page()
    files = {"photo": town.query(3).read_bytes()}
    body = httpx.post(f"{server}v1/search", files=files, timeout=SECONDS).json()
    for result, inliers in zip(body["results"], (430, 21, 0), strict=False):
        result["verified"] = {"inliers": inliers, "score": inliers / 100}
    for result, probability in zip(body["results"], (0.97, 0.9497, 0.02, 0.001), strict=False):
        result["probability"] = probability
    for result in body["results"][3:]:
        result["verified"] = None
    body["match"] = {"verdict": "found", "probability": 0.97, "threshold": 0.95}
    body["location"] = {"latitude": 48.0035, "longitude": 11.5, "radius_m": 120.0}
    page.route("**/v1/search?*", lambda route: route.fulfill(json=body))
    page.set_input_files("#photo", town.query(3))
    cards = page.locator("#results:not([aria-busy]) .card")
    expect(cards.nth(0)).to_contain_text("Found, 97% sure, 430 matching points")
    expect(cards.nth(0)).to_contain_text("56 m from the estimate")
    expect(cards.nth(1)).to_contain_text("Perhaps, 94% sure, 21 matching points")
    expect(cards.nth(2)).to_contain_text("Probably elsewhere: 2%, 0 matching points")
    expect(cards.nth(3)).to_contain_text("Probably elsewhere: under 1%, by similarity alone")
    expect(page.locator("#cards .card")).to_have_count(2)
    elsewhere = page.locator("#elsewhere")
    expect(elsewhere.locator("summary")).to_have_text("Most similar, but probably elsewhere (8)")
    expect(cards.nth(2)).to_be_hidden()
    elsewhere.locator("summary").click()
    expect(cards.nth(2)).to_be_visible()
    expect(elsewhere.locator(".rank").first).to_contain_text("Rank 3")
    expect(page.locator("#answer-title")).to_have_text("Found")
    expect(page.locator("#answer-title use")).to_have_attribute("href", "icons.svg#found")
    expect(page.locator("#remedies")).to_be_hidden()
    expect(page.locator("#estimate")).to_contain_text("Probably taken within 120 m of")
    expect(page.locator("#map path.estimate")).to_have_count(1)


KEPT = """async () => {
    const opening = indexedDB.open('place-search', 1);
    await new Promise((opened) => opening.addEventListener('success', opened));
    const kept = opening.result.transaction('photos').objectStore('photos').count();
    await new Promise((counted) => kept.addEventListener('success', counted));
    opening.result.close();
    return kept.result;
}"""


def test_photos_are_kept_for_an_hour(open_page: Any, server: str, town: Any) -> None:
    page = open_page()
    page.clock.install()
    page.set_input_files("#photo", town.query(2))
    expect(first_card(page)).to_contain_text("02.jpg")
    assert page.evaluate(KEPT) == 1
    page.clock.fast_forward("59:00")
    assert page.evaluate(KEPT) == 1
    page.clock.fast_forward("02:00")
    wait_until(lambda: page.evaluate(KEPT) == 0, "still kept")


def test_photos_that_were_kept_too_long_go_when_a_page_opens(
    open_page: Any, server: str, town: Any
) -> None:
    page = open_page()
    page.set_input_files("#photo", town.query(2))
    expect(first_card(page)).to_contain_text("02.jpg")
    page.goto(f"{server}places")
    page.clock.install(time=time.time() + 3700)
    assert page.evaluate(KEPT) == 1
    page.goto(f"{server}compare")
    wait_until(lambda: page.evaluate(KEPT) == 0, "still kept")


def test_an_answer_from_a_changed_index_counts_the_places_anew(
    open_page: Any, writable_server: WritableServer, api: httpx.Client, town: Any
) -> None:
    page = open_page(writable_server.address)
    facts = page.locator("#results:not([aria-busy]) #summary-facts")
    page.set_input_files("#photo", town.query(2))
    expect(facts).to_contain_text("of 12 places")
    added = api.post("/v1/places", files={"photo": town.query(9).read_bytes()})
    assert added.status_code == 201
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#results:not([aria-busy]) .card").first).to_contain_text("street-3/03.jpg")
    expect(facts).to_contain_text("of 13 places")
    expect(page.locator("#status")).to_contain_text("13 places")
