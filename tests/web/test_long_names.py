"""A long name of a place, a spot, a photo or a report never widens a page."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from place_search.indexer import change_groups, edit_place
from place_search.search.groups.by_hand import GroupEdit
from tests.web.conftest import PLACES, Town, serving
from tests.web.settling import settle
from tests.web.test_large_letters import WIDE, WIDEN

LONG = "n" * 200
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "is_mobile": True}
WIDER = """() => {
    const wide = (part) => part.scrollWidth > 360 || part.clientWidth > 360;
    return [...document.querySelectorAll('html, dialog[open], .frame, img')].filter(wide)
        .map((part) => part.outerHTML.slice(0, 80));
}"""


LONGEST = """async () => {
    const { trackWords } = await import(new URL('track-words.js', document.baseURI));
    const name = `${'n'.repeat(10)}…${'n'.repeat(10)}`;
    const line = `${trackWords.trackLine('perhaps', name, 0.995)}, ${trackWords.heading(359)}`;
    document.querySelector('#now').textContent = trackWords.trackNow(line);
    document.querySelector('#told').textContent = trackWords.trackFrame(1000, line);
}"""
"""Shows the longest lines of a track."""
HIGHER = """() => [...document.querySelectorAll('#now, #told')]
    .filter((line) => {
        const [words, { height }] = [line.textContent, line.getBoundingClientRect()];
        line.textContent = '';
        const kept = line.getBoundingClientRect().height;
        line.textContent = words;
        return height !== kept || line.scrollHeight > Math.ceil(height);
    })
    .map((line) => line.textContent)"""
"""The lines that need more than the room which is kept for them."""


@pytest.fixture(scope="module")
def address(
    index_folder: Path, reports: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server of places, a spot and a report with names of 200 letters."""
    folder = tmp_path_factory.mktemp("long") / "town"
    shutil.copytree(index_folder, folder)
    for place in range(PLACES):
        edit_place(folder, place, {"name": f"{place}{LONG}"[:200], "tags": [LONG[:60]]})
    change_groups(folder, GroupEdit(3, LONG, add=[5, 6]).changed)
    report = folder.parent / "reports" / LONG
    shutil.copytree(reports / "town", report)
    told = json.loads((report / "report.json").read_text())
    (report / "report.json").write_text(json.dumps({**told, "truth": LONG}))
    with serving(folder, "--reports", str(report.parent)) as (_, address):
        yield address


@pytest.fixture
def phone(open_page: Any, address: str) -> Callable[[str], Page]:
    """Opens a page on a phone."""
    return lambda at: open_page(address, at=at, **PHONE)


def check_fits(page: Page) -> None:
    """Nothing is wider than the window."""
    settle(page)
    assert page.evaluate(WIDER) == []


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("places", "#places > li"),
        ("places?each=", "#places > li"),
        ("place?id=3#alike", "#alike-photos li"),
        ("map?at=48.003,11.5,18&place=3", "#chosen img"),
        ("reports", ".report"),
        ("?of=3&place=3", "dialog[open]"),
    ],
)
def test_a_page_of_long_names_fits_a_phone(
    phone: Callable[[str], Page], at: str, shown: str
) -> None:
    page = phone(at)
    expect(page.locator(shown).first).to_be_visible()
    check_fits(page)


def test_photos_of_long_names_fit_a_phone(phone: Callable[[str], Page], town: Town) -> None:
    photo = town.write(f"{LONG}.jpg", town.query(3).read_bytes())
    page = phone("")
    page.set_input_files("#photo", photo)
    expect(page.locator("#results:not([aria-busy]) .card").first).to_be_visible()
    check_fits(page)
    page = phone("compare")
    page.set_input_files("#photo-0", photo)
    page.set_input_files("#photo-1", photo)
    expect(page.locator("#verdict")).to_be_visible()
    check_fits(page)
    page = phone("about")
    page.set_input_files("#photo", photo)
    expect(page.locator("#cells")).to_be_visible()
    check_fits(page)


@pytest.mark.parametrize("language", ["en", "hi", "hi-Latn"])
def test_a_long_name_leaves_the_figures_of_a_track(
    open_page: Any, address: str, town: Town, language: str
) -> None:
    page = open_page(address, at="track", locale=language, **PHONE)
    page.set_input_files("#files", town.write(f"{LONG}.jpg", town.query(3).read_bytes()))
    expect(page.locator("#strip li")).to_have_count(1)
    expect(page.locator("#now")).to_contain_text("nnn…nnn")
    expect(page.locator("#told")).to_contain_text("%")
    assert page.evaluate(HIGHER) == []
    check_fits(page)
    page.evaluate(LONGEST)
    for style in ("", WIDE):
        page.evaluate(WIDEN, style)
        for width in (320, 360, 769, 1280):
            page.set_viewport_size({"width": width, "height": 740})
            assert page.evaluate(HIGHER) == [], width
