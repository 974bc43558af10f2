"""The reports of evaluations: their list, and each as a page."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from place_search.evaluation.report.curve import draw_curve
from place_search.evaluation.report.words import in_all_languages, message
from place_search.models import Recall

BEYOND = """(label, words) => {
    label.textContent = words;
    label.style.fontFamily = 'DejaVu Sans, Verdana, sans-serif';
    const right = (part) => part.getBoundingClientRect().right;
    return right(label) - right(label.ownerSVGElement);
}"""
"""How far a label lies beyond its drawing, in a wide font."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_opens_from_the_list(open_page: Any, server: str, scheme: str) -> None:
    page = open_page(color_scheme=scheme, at="reports")
    expect(page.locator(".report")).to_have_count(1)
    (card,) = page.locator(".report").all()
    expect(card).to_contain_text("town: 4 queries among 4 photos, protocol truth-csv")
    expect(card.locator("dd").first).to_contain_text("50.0%")
    bar = card.locator(".share").first.evaluate(
        "bar => parseFloat(getComputedStyle(bar, '::before').width) / bar.clientWidth"
    )
    assert bar == pytest.approx(1 / 2, abs=0.01)
    page.get_by_role("link", name="lite0-netvlad-1024 on truth").click()
    expect(page).to_have_url(f"{server}reports/town/?language=en")
    expect(page.get_by_role("heading", level=1)).to_have_text("lite0-netvlad-1024 on truth")
    shown = page.locator("#cards > article:visible")
    expect(shown).to_have_count(4)
    page.get_by_role("button", name="Only wrong (2)").press("Enter")
    expect(shown).to_have_count(2)
    expect(shown.first).to_contain_text("Wrong: the first right result is number ")
    page.wait_for_function("[...document.images].every((image) => image.naturalWidth > 0)")
    assert [rule["id"] for rule in Axe().run(page).response["violations"]] == []
    page.get_by_role("link", name="All reports").click()
    expect(page.locator(".report")).to_have_count(1)


def test_a_report_has_the_colours_of_the_pages(open_page: Any) -> None:
    page = open_page(at="reports")

    def colours() -> Any:
        return page.evaluate(
            """() => [document.body, document.querySelector('h1')].map((part) => {
                const { color, backgroundColor, fontFamily } = getComputedStyle(part);
                return [color, backgroundColor, fontFamily];
            })"""
        )

    page.get_by_role("button", name="Dark colours").click()
    dark = colours()
    page.get_by_role("link", name="lite0-netvlad-1024 on truth").click()
    expect(page).to_have_url(re.compile(r"town/\?language=en&theme=dark$"))
    assert colours() == dark


@pytest.mark.parametrize("language", ["hi", "hi-Latn"])
def test_a_report_is_in_the_language_of_its_reader(open_page: Any, language: str) -> None:
    page = open_page(at="reports", locale="en")
    english = page.context.new_page()
    name = "हिन्दी" if language == "hi" else "Hindi (abc)"
    page.get_by_role("button", name=name).click()
    expect(page.locator("html")).to_have_attribute("lang", language)
    page.locator(".report a").click()
    expect(page).to_have_url(re.compile(rf"town/\?language={language}$"))
    expect(page.locator("html")).to_have_attribute("lang", language)
    english.goto(page.url.replace(language, "en"))

    def told(page: Any) -> Any:
        """What is said, as text and as the names of what has no text, by key."""
        return page.evaluate(
            """() => ['words', 'alt', 'aria-label'].flatMap((name) =>
                [...document.querySelectorAll(`[data-${name}]`)].map((part) =>
                    [JSON.parse(part.getAttribute(`data-${name}`))[0],
                        name === 'words' ? part.textContent : part.getAttribute(name)]))"""
        )

    theirs, own = told(english), told(page)
    assert [key for key, _ in own] == [key for key, _ in theirs]
    assert len(own) > 40
    for (key, said), (_, before) in zip(own, theirs, strict=True):
        # What was measured is the same, whatever the order of the words.
        numbers = [sorted(re.findall(r"\d[\d.,]*\d|\d", text)) for text in (said, before)]
        assert numbers[0] == numbers[1], key
        if language == "hi":
            assert re.search(r"[\u0900-\u097f]", said), key
    tables = [tab.locator("tbody td").all_inner_texts() for tab in (page, english)]
    assert tables[0][:8] == tables[1][:8]
    assert page.title() == page.get_by_role("heading", level=1).inner_text()
    english.close()


@pytest.mark.parametrize(("language", "waits"), [("en", False), ("hi", True), ("hi-Latn", True)])
def test_a_report_is_not_seen_before_its_words_are(
    open_page: Any, server: str, language: str, waits: bool
) -> None:
    """Other words than English ones are put in at its end, and would move what is seen."""
    page = open_page(locale=language)

    def without_end(route: Any) -> None:
        reply = route.fetch()
        start, _, _ = reply.text().rpartition("<script>")
        route.fulfill(response=reply, body=start)

    page.route("**/reports/town/*", without_end)
    page.goto(f"{server}reports/town/?language={language}")
    heading = page.get_by_role("heading", level=1, include_hidden=True)
    expect(heading).to_be_visible(visible=not waits)
    page.unroute("**/reports/town/*")
    page.reload()
    expect(heading).to_be_visible()


def test_a_report_is_shut_off_from_the_server(browser: Browser, server: str) -> None:
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(f"{server}reports/town/")
    # What a script in a report could do, were it somebody else's.
    ask = "() => fetch('/v1/index', { mode: 'no-cors' }).then(() => 'asked', () => 'refused')"
    assert page.evaluate(ask) == "refused"
    assert "Content Security Policy" in refused[0]
    assert page.evaluate("origin") == "null"
    page.close()


def test_without_reports_there_is_no_link_but_a_mend(
    open_page: Any, start_server: Callable[..., str], tmp_path: Path
) -> None:
    address = start_server()
    page = open_page(address)
    expect(page.locator("#status")).to_contain_text("12 places")
    links = page.get_by_role("navigation").get_by_role("link")
    expect(links).to_have_text(["Search", "Places", "Map", "Compare", "Track", "About"])
    page.goto(f"{address}reports")
    expect(page.locator("#none")).to_contain_text("place-search serve INDEX --reports REPORTS")


@pytest.mark.parametrize("kind", ["measured", "chance", "published"])
def test_the_labels_of_a_curve_are_whole(browser: Browser, kind: str) -> None:
    published = [Recall("town", "published", {"1": 100.0})]
    page = browser.new_page()
    page.set_content(draw_curve({1: 100.0, 2: 100.0}, {1: 50.0, 2: 100.0}, published))
    label = page.locator(f"text.{kind}")
    for words in in_all_languages(message(f"{kind}-at", percent=100)):
        assert label.evaluate(BEYOND, words) <= 0, words
    page.close()
