"""What the search page makes of each verdict: what is shown, what is folded away, what to do."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.waiting import SECONDS
from tests.web.test_pages import check_accessible

PHONE = {"viewport": {"width": 320, "height": 800}, "is_mobile": True, "has_touch": True}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A photo of a place that is in no index."""
    rng = np.random.default_rng(1)
    patches = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
    path = tmp_path / "elsewhere.jpg"
    patches.resize((640, 480), Image.Resampling.NEAREST).save(path)
    return path


def answer_with(page: Page, server: str, photo: Path, probabilities: tuple[float, ...]) -> None:
    """Let the next searches answer with these probabilities, and 0 for the other results."""
    files = {"photo": photo.read_bytes()}
    body = httpx.post(f"{server}v1/search", files=files, timeout=SECONDS).json()
    for rank, result in enumerate(body["results"]):
        result["probability"] = probabilities[rank] if rank < len(probabilities) else 0.0
    best = probabilities[0]
    verdict = "found" if best >= 0.95 else "unsure" if best >= 0.5 else "not_found"
    body["match"] = {"verdict": verdict, "probability": best, "threshold": 0.95}
    body["location"] = None
    page.route("**/v1/search?*", lambda route: route.fulfill(json=body))


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, PHONE])
def test_a_place_that_is_not_there_is_said_not_to_be(
    open_page: Any, elsewhere: Path, options: dict[str, Any]
) -> None:
    page = open_page(**options)
    expect(page.locator("#status")).to_contain_text("12 places")
    page.set_input_files("#photo", elsewhere)
    expect(page.locator("h2.not_found")).to_have_text("Not among these 12 places")
    expect(page.locator("#live")).to_contain_text("Not among these 12 places.")
    expect(page.locator("#answer-title use")).to_have_attribute("href", "icons.svg#not_found")
    remedies = page.locator("#remedies li")
    expect(remedies).to_have_count(2)
    expect(remedies.first).to_contain_text("Try a photo that shows more of the place")
    expect(remedies.last).to_contain_text("place-search add INDEX FOLDER")
    expect(page.locator("#map-box")).to_be_hidden()
    expect(page.locator("#estimate")).to_be_hidden()
    expect(page.locator("#cards")).to_be_empty()
    check_accessible(page)
    folded = page.locator("#elsewhere")
    expect(folded.locator("summary")).to_have_text("Most similar, but probably elsewhere (10)")
    expect(folded.locator(".card").first).to_be_hidden()
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(folded.locator(".card").first).to_be_visible()
    expect(folded.locator(".card").first).to_contain_text("Probably elsewhere: ")
    check_accessible(page)


def test_candidates_are_shown_when_it_is_not_sure(open_page: Any, server: str, town: Any) -> None:
    page = open_page()
    answer_with(page, server, town.query(3), (0.7, 0.3, 0.55))
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("h2.unsure")).to_have_text("Perhaps, but not for sure")
    expect(page.locator("#answer-title use")).to_have_attribute("href", "icons.svg#unsure")
    shown = page.locator("#cards .card")
    expect(shown).to_have_count(2)
    expect(shown.locator(".rank")).to_contain_text(["Rank 1", "Rank 3"])
    expect(shown.last).to_contain_text("Perhaps, 55% sure")
    expect(page.locator("#elsewhere .card")).to_have_count(8)
    expect(page.locator("#remedies")).to_contain_text("open a place to see it beside your photo")
    check_accessible(page)


def test_the_viewer_says_of_a_place_what_the_search_said(
    open_page: Any, server: str, town: Any
) -> None:
    page = open_page()
    # A comparison reads both photos; the search read the index's own, rounded points.
    other = {"inliers": 7, "matches": [], "result": "different", "probability": 0.1}
    answer = {"similarity": 0.5, "threshold": 0.95, "notes": [], "model": "", **other}
    page.route("**/v1/compare*", lambda route: route.fulfill(json=answer))
    page.set_input_files("#photo", town.query(3))
    page.locator("#results:not([aria-busy]) #cards .card button").first.click()
    told = page.locator("#viewer .verified").inner_text()
    points = told.split(", ")[-1]
    assert points.endswith(" matching points")
    expect(page.locator("#viewer .shared")).to_have_text(f"{points}.")
    page.keyboard.press("Escape")
    # Where the search compared no points, the viewer says what they tell.
    page.locator("#verify").uncheck()
    page.locator("#results:not([aria-busy]) .card:has-text('by similarity')").first.wait_for(
        state="attached"
    )
    page.locator(".card button").first.evaluate("button => button.click()")
    said = page.locator("#viewer .shared")
    expect(said).to_have_text("7 matching points. Probably different places.")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_candidates_have_photos_of_a_photo_s_shape(
    open_page: Any, server: str, town: Any, count: int
) -> None:
    page = open_page(viewport={"width": 1440, "height": 900})
    answer_with(page, server, town.query(3), (0.97,) * count)
    page.set_input_files("#photo", town.query(3))
    shown = page.locator("#cards .card .frame")
    expect(shown).to_have_count(count)
    for frame in shown.all():
        box = frame.bounding_box()
        assert box
        assert 0.6 < box["height"] / box["width"] < 1.2


def test_the_search_is_made_wider_where_it_is_said(
    open_page: Any, server: str, elsewhere: Path
) -> None:
    page = open_page(at="?verify=false&near=48.003,11.5&radius_m=300")
    answer_with(page, server, elsewhere, (0.02,))
    page.set_input_files("#photo", elsewhere)
    expect(page.locator("h2.not_found")).to_have_text("Not among the places in this circle")
    remedies = page.locator("#remedies")
    expect(remedies.locator("li")).to_have_count(4)
    remedies.get_by_role("button", name="Search everywhere").click()
    expect(page).to_have_url(f"{server}?verify=false")
    expect(page.locator("h2.not_found")).to_have_text("Not among these 12 places")
    expect(remedies.locator("li")).to_have_count(3)
    remedies.get_by_role("button", name="Check geometry").click()
    expect(page).to_have_url(server)
    expect(remedies.locator("li")).to_have_count(2)
    page.go_back()
    expect(remedies.locator("li")).to_have_count(3)


def test_it_is_said_in_hindi_too(open_page: Any, elsewhere: Path) -> None:
    page = open_page(locale="hi")
    expect(page.locator("#status")).to_contain_text("12 जगहें")
    page.set_input_files("#photo", elsewhere)
    expect(page.locator("h2.not_found")).to_have_text("इन 12 जगहों में नहीं है")
    expect(page.locator("#elsewhere summary")).to_contain_text("पर लगता है जगह कोई और है (10)")
    assert "Try" not in page.locator("#results").inner_text()
