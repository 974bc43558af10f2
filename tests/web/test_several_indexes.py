"""The pages of several indexes of one server."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from place_search.indexer import remove_places
from place_search.search.server.keys import new_key
from tests.web.conftest import PLACES, serving
from tests.web.test_pages import check_accessible


@pytest.fixture(scope="module")
def several(index_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with the index town, and with harbour, which lacks place 0."""
    harbour = tmp_path_factory.mktemp("several") / "harbour"
    shutil.copytree(index_folder, harbour)
    remove_places(harbour, [0])
    with serving(Path(f"town={index_folder}"), f"harbour={harbour}") as (_, address):
        yield address


def test_each_index_has_all_pages(open_page: Any, several: str, town: Any) -> None:
    page = open_page(several)
    page.goto(f"{several}places")
    cards = page.locator("#places > li")
    expect(cards).to_have_count(PLACES)
    choice = page.get_by_role("combobox", name="Index")
    expect(choice).to_have_value("town")
    check_accessible(page)
    choice.select_option("harbour")
    page.wait_for_url(f"{several}indexes/harbour/places")
    expect(cards).to_have_count(PLACES - 1)
    expect(choice).to_have_value("harbour")
    expect(page.locator("#status")).to_contain_text(f"{PLACES - 1} places")

    page.get_by_role("link", name="Search", exact=True).click()
    page.wait_for_url(f"{several}indexes/harbour/")
    page.set_input_files("#photo", town.query(2))
    best = page.locator("#results:not([aria-busy]) .card").first
    expect(best).to_contain_text(town.name(2).rsplit("/", 1)[1])
    expect(best.locator("img")).to_have_js_property("complete", True)
    assert best.locator("img").evaluate("image => image.naturalWidth") > 0
    page.goto(f"{several}indexes/harbour/place?id=3")
    expect(page.locator("#photo img")).to_have_js_property("complete", True)
    choice.select_option("town")
    page.wait_for_url(f"{several}indexes/town/places")
    expect(cards).to_have_count(PLACES)


def test_who_cannot_change_an_index_is_told_of_a_removed_place(
    open_page: Any, several: str
) -> None:
    page = open_page(several, expected=("404",), at="indexes/harbour/place?id=0")
    removed = page.locator("#removed")
    expect(removed).to_contain_text("Place 0 was removed.")
    expect(removed).to_contain_text("This server only shows places.")
    expect(removed.get_by_role("button")).to_have_count(0)
    check_accessible(page)


def test_an_index_answers_below_its_name(several: str) -> None:
    with httpx.Client(base_url=several) as client:
        led = client.get("indexes/harbour")
        assert (led.status_code, led.headers["location"]) == (307, "/indexes/harbour/")
        assert client.get("indexes/harbour/v1/index").json()["places"] == PLACES - 1
        assert client.get("indexes/harbour/readyz").json()["places"] == PLACES - 1
        assert len(client.get("indexes/harbour/v1/indexes").json()["indexes"]) == 2
        place = client.get("indexes/harbour/v1/places/2").json()
        assert place["image_url"].startswith("/indexes/harbour/v1/places/2/")
        assert client.get(place["image_url"]).status_code == 200
        assert client.get("indexes/nowhere/").status_code == 404
        assert client.get("indexes/harbour/v1/places/0").status_code == 404
        for path in ("v1/indexes/harbour/nothing", "indexes/harbour/nothing"):
            assert "; /docs lists what there is" in client.get(path).json()["detail"]


def test_a_key_for_one_index_leads_to_its_pages(
    open_page: Any, servers: ExitStack, index_folder: Path, tmp_path: Path, town: Any
) -> None:
    harbour = tmp_path / "harbour"
    shutil.copytree(index_folder, harbour)
    remove_places(harbour, [0])
    secret, key = new_key("me", "write", "harbour")
    (tmp_path / "keys").write_text(key.line)
    named = (f"town={index_folder}", f"harbour={harbour}")
    options = ("--writable", "--keys", str(tmp_path / "keys"))
    _, address = servers.enter_context(serving(Path(named[0]), named[1], *options))
    page = open_page(address, expected=("401", "403"))
    expect(page.get_by_label("API key")).to_be_visible()
    page.set_input_files("#photo", town.query(2))  # it goes along
    expect(page.locator("#preview-photo")).to_be_visible()
    page.get_by_label("API key").fill(secret)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}indexes/harbour/")
    best = page.locator("#results:not([aria-busy]) .card").first
    expect(best).to_contain_text(town.name(2).rsplit("/", 1)[1])
    page.goto(f"{address}about")
    page.wait_for_url(f"{address}indexes/harbour/about")
    expect(page.locator("#serving")).to_contain_text("lite0")
    page.goto(f"{address}places")
    page.wait_for_url(f"{address}indexes/harbour/places")
    expect(page.locator("#places > li")).to_have_count(PLACES - 1)
    page.goto(f"{address}indexes/harbour/place?id=3")
    expect(page.locator("#tools form.tend")).to_be_visible()
    harbour.rename(tmp_path / "elsewhere")
    page.reload()
    expect(page.locator("#tools")).to_contain_text("was removed beside the server")
    told = httpx.get(f"{address}indexes/harbour/readyz").json()
    assert "removed" in told.get("refused", "removed")
