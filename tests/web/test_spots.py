"""Photos of one spot share one card."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from place_search.indexer import Groups, change_groups
from tests.web.conftest import PLACES, serving
from tests.web.test_pages import check_accessible


def one_spot(_: Groups) -> Groups:
    """Places 2, 5 and 6 are the fountain, all others alone."""
    ids = np.arange(PLACES)
    group = np.where(np.isin(ids, [2, 5, 6]), 2, ids)
    return Groups(place_id=ids, group=group, held=np.zeros(PLACES, np.bool_), names={2: "Fountain"})


@pytest.fixture(scope="module")
def grouped(index_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose index has that spot."""
    folder = tmp_path_factory.mktemp("grouped") / "index"
    shutil.copytree(index_folder, folder)
    change_groups(folder, one_spot)
    with serving(folder) as (_, address):
        yield address


def test_photos_of_one_spot_are_one_card(open_page: Any, grouped: str, town: Any) -> None:
    page = open_page(grouped)
    page.set_input_files("#photo", town.query(2))
    expect(page.locator("#results:not([aria-busy]) .card").first).to_be_visible()
    first = page.locator("#cards > .card").first
    expect(first).to_contain_text("Fountain")
    expect(first).to_contain_text("and 2 more photos of it")
    others = first.locator(".spot .frame")
    shown = others.count()
    assert 1 <= shown <= 2
    assert page.locator(".card").count() == 10, "as many spots as there are asked for"
    expect(page.locator("#summary-facts")).to_contain_text(
        f"{10 + shown} of {PLACES} places shown, at 10 spots, answered in"
    )

    others.first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(others.first).to_be_focused()
    check_accessible(page)


def test_the_gallery_shows_spots_or_each_photo(open_page: Any, grouped: str) -> None:
    page = open_page(grouped)
    page.goto(f"{grouped}places")
    cards = page.locator("#places > li")
    expect(cards).to_have_count(PLACES - 2)
    expect(page.locator("#count")).to_have_text(f"{PLACES - 2} spots")
    fountain = cards.filter(has_text="Fountain")
    expect(fountain).to_have_count(1)
    expect(fountain.locator(".many")).to_have_text("3 photos")
    check_accessible(page)

    each = page.get_by_label("Each photo by itself")
    each.focus()
    page.keyboard.press("Space")
    expect(cards).to_have_count(PLACES)
    expect(page.locator("#count")).to_have_text(f"{PLACES} places")
    expect(page.locator(".many")).to_have_count(0)
    assert "each" in page.url
    page.reload()
    expect(cards).to_have_count(PLACES)
    expect(each).to_be_checked()
    each.uncheck()
    expect(cards).to_have_count(PLACES - 2)
