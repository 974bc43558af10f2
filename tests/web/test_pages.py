"""What all pages share: head, language, colours, weight, and that everybody can use them."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.needs import ROOT
from tests.web.settling import settle

PAGES = {
    "": "Search",
    "places": "Places",
    "map": "Map",
    "compare": "Compare",
    "track": "Track",
    "about": "About",
    "reports": "Reports",
}


EMPTY_ARIA = """() => [...document.querySelectorAll('*')].filter((part) =>
    part.getAttributeNames().some((name) => name.startsWith('aria-') && !part.getAttribute(name))
).map((part) => part.outerHTML.slice(0, 80))"""
"""Parts with an attribute of ARIA that says nothing: an empty `aria-hidden` hides nothing."""


def finalize_commit(page: Page) -> None:
    """Wait until the server's answers are shown."""
    settle(page)
    expect(page.locator("#status")).to_contain_text(re.compile(r"12"))


def check_accessible(page: Page) -> None:
    """No rule of axe is broken on the page as it is."""
    found = Axe().run(page).response["violations"]
    assert [
        (rule["id"], [node["html"][:200] for node in rule["nodes"][:3]]) for rule in found
    ] == []
    assert page.evaluate(EMPTY_ARIA) == []


@pytest.mark.parametrize("address", PAGES)
def test_every_page_is_reached_from_the_head(open_page: Any, server: str, address: str) -> None:
    page = open_page()
    page.get_by_role("navigation").get_by_role("link", name=PAGES[address]).click()
    expect(page).to_have_url(f"{server}{address}")
    current = page.get_by_role("navigation").locator("[aria-current=page]")
    expect(current).to_have_text(PAGES[address])
    expect(page.get_by_role("heading", level=1)).to_have_count(1)


def test_results_and_an_open_place_are_accessible(open_page: Any, town: Any) -> None:
    page = open_page()
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#results:not([aria-busy]) .card")).to_have_count(10)
    expect(page.locator("#map .place-pin").first).to_be_visible()
    page.locator("#elsewhere summary").click()
    check_accessible(page)
    page.locator(".card button.frame").nth(1).click()
    expect(page.locator(".shared")).to_contain_text(re.compile("matching points?"))
    check_accessible(page)


def test_the_language_is_chosen_and_kept(open_page: Any, server: str, town: Any) -> None:
    page = open_page()
    page.set_input_files("#photo", town.query(5))
    expect(page.locator(".card").first).to_contain_text("street-5/05.jpg")
    page.get_by_role("button", name="हिन्दी").click()
    expect(page.locator("html")).to_have_attribute("lang", "hi")
    expect(page.get_by_role("heading", level=1)).to_have_text("फ़ोटो की जगह खोजें")
    # The photo is still there, and its places are, in the new words.
    expect(page.locator(".card").first).to_contain_text("street-5/05.jpg")
    expect(page.locator("#summary-facts")).to_contain_text("12 में से 10 जगहें")
    for address in PAGES:
        page.goto(f"{server}{address}")
        finalize_commit(page)
        expect(page.locator("html")).to_have_attribute("lang", "hi")
        english = page.evaluate(
            """() => [...document.querySelectorAll('[data-words]')]
                .filter((part) => !/[\\u0900-\\u097F]/.test(part.textContent))
                .map((part) => part.dataset.words)"""
        )
        assert english == []
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_who_reads_another_language_reads_english(open_page: Any, server: str) -> None:
    for language, shown in (
        ("hil-PH", "en"),
        ("de", "en"),
        ("hi-IN", "hi"),
        ("hi-Latn-IN", "hi-Latn"),
    ):
        page = open_page(locale=language)
        expect(page.locator("html")).to_have_attribute("lang", shown)
        page.goto(f"{server}reports/town/")
        expect(page.locator("html")).to_have_attribute("lang", shown)


def test_hindi_is_also_there_in_latin_letters(open_page: Any, server: str, town: Any) -> None:
    page = open_page()
    words: dict[str, dict[str, str]] = {}
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url.rpartition("/")[2]))
    for language in ("English", "Hindi (abc)"):
        if language != "English":
            page.get_by_role("button", name=language).click()
            expect(page.locator("html")).to_have_attribute("lang", "hi-Latn")
        for address in PAGES:
            page.goto(f"{server}{address}")
            finalize_commit(page)
            told = page.evaluate(
                """() => Object.fromEntries([...document.querySelectorAll('[data-words]')]
                    .map((part) => [part.dataset.words, part.textContent]))"""
            )
            words.setdefault(language, {}).update(told)
        if language == "English":
            assert [name for name in loaded if "-hi" in name] == []
    assert {name for name in loaded if "-hi." in name} == set()
    hindi, english = words["Hindi (abc)"], words["English"]
    assert not re.search(r"[\u0900-\u097F]", " ".join(hindi.values()))
    assert [name for name in hindi if hindi[name] == english[name]] == []
    page.goto(server)
    page.set_input_files("#photo", town.query(5))
    expect(page.locator(".card").first).to_contain_text("street-5/05.jpg")
    expect(page.locator("#summary-facts")).to_contain_text("12 mein se 10 jagahein")


def test_the_page_shown_is_marked_in_the_colours_of_the_system(open_page: Any) -> None:
    page = open_page(at="map", forced_colors="active")
    links = page.get_by_role("navigation").get_by_role("link")
    marked = """links => links.filter((link) => {
        const { backgroundColor } = getComputedStyle(document.body);
        return getComputedStyle(link).borderBottomColor !== backgroundColor;
    }).map((link) => link.textContent)"""
    assert links.evaluate_all(marked) == ["Map"]


@pytest.mark.parametrize("language", ["en", "hi", "hi-Latn"])
def test_the_head_fits_a_small_phone(open_page: Any, language: str) -> None:
    size = {"width": 320, "height": 700}
    page = open_page(viewport=size, is_mobile=True, has_touch=True, locale=language)
    finalize_commit(page)
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [320] * 2
    bar = page.locator(".bar").bounding_box()
    assert bar is not None
    assert bar["height"] < 160


@pytest.mark.parametrize("language", ["en", "hi", "hi-Latn"])
def test_the_head_holds_all_links_at_every_width(open_page: Any, language: str) -> None:
    page = open_page(locale=language)
    finalize_commit(page)
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_count(len(PAGES))
    lines = """() => {
        const links = [...document.querySelectorAll('.bar nav a')];
        const lines = new Set(links.map((link) => link.getBoundingClientRect().top)).size;
        const { height } = document.querySelector('.bar').getBoundingClientRect();
        return [lines, height <= 100, document.documentElement.scrollWidth - innerWidth];
    }"""
    for width in (320, 360, 390, 480, 768, 1024, 1080, 1280, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        # A bar of scrolling takes its width from the page.
        one_line, low, beyond = page.evaluate(lines)
        assert (width, one_line, low) == (width, 1, True)
        assert beyond <= 0, width


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_the_links_stand_still_from_page_to_page(open_page: Any, server: str, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    where = """() => [...document.querySelectorAll('.bar nav a')].map((link) => {
        const words = document.createRange();
        words.selectNodeContents(link);
        const { left, right, top, bottom } = words.getBoundingClientRect();
        return [left, right, (top + bottom) / 2];
    })"""
    stood = []
    for address in PAGES:
        page.goto(f"{server}{address}")
        finalize_commit(page)
        stood.append(page.evaluate(where))
    assert all(here == stood[0] for here in stood)
    if width == 1280:
        box = page.locator(".brand").bounding_box()
        assert box is not None
        assert stood[0][0][2] == pytest.approx(box["y"] + box["height"] / 2, abs=1)


def test_colours_are_chosen_and_kept(open_page: Any, server: str) -> None:
    page = open_page()

    def paper() -> str:
        colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return colour

    light = paper()
    page.get_by_role("button", name="Dark colours").click()
    assert paper() != light
    page.goto(f"{server}compare")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="Light colours").click()
    assert paper() == light


def test_results_with_their_map_are_light_too(open_page: Any, town: Any) -> None:
    sizes: dict[str, int] = {}
    page = open_page()

    def weigh(response: Any) -> None:
        if "/v1/" not in response.url and not response.url.startswith(("blob:", "data:")):
            sizes[response.url] = int(response.headers.get("content-length", 0))

    page.on("response", weigh)
    page.reload()
    page.set_input_files("#photo", town.query(2))
    expect(page.locator("#map .place-pin").first).to_be_visible()
    page.locator(".card button.frame").first.click()
    expect(page.locator(".shared")).to_contain_text(re.compile("matching points?"))
    assert any("leaflet" in url for url in sizes)
    assert sum(sizes.values()) < 130_000


def test_the_documentation_works_without_the_internet(open_page: Any) -> None:
    page = open_page(at="docs")
    search = page.locator("#operations-search-search_places")
    expect(search).to_contain_text("/v1/search")
    search.get_by_role("button").first.click()
    expect(search).to_contain_text("The places of the index that look most like the photo")


def test_style_sheets_hold_no_words() -> None:
    """What they say would be English in every language."""
    for sheet in (ROOT / "web").glob("*.css"):
        assert re.findall(r"content:[^;}]*[\"'][^;}]*[A-Za-z]{2}", sheet.read_text("utf-8")) == []
