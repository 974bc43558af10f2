"""Maps of places on both sides of the date line, as in Fiji."""

import csv
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from place_search.indexer import build_index, open_source
from place_search.models import Model
from place_search.search.server.keys import new_key
from tests.web.conftest import WritableServer, serving

WEST, EAST = 179.9999, -179.9999
"""21 m from each other."""
CLOSE = re.compile(r"^\d+ m$")


@pytest.fixture(scope="module")
def fiji(
    town: Any, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WritableServer]:
    """A server of two photos of one spot, west and east of the date line."""
    folder = tmp_path_factory.mktemp("fiji")
    town.view(0).save(folder / "west.jpg")
    town.view(0).crop((10, 10, 630, 470)).save(folder / "east.jpg")
    with (folder / "list.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "latitude", "longitude"])
        rows.writerows([["west.jpg", -16.8, WEST], ["east.jpg", -16.8, EAST]])
    build_index(open_source(folder / "list.csv"), folder / "index", model)
    secret, key = new_key("me", "write")
    (folder / "keys").write_text(key.line)
    options = ("--writable", "--public", "--keys", str(folder / "keys"))
    with serving(folder / "index", *options) as (_, address):
        yield WritableServer(address, secret, "")


def expect_within(part: Locator, page: Page) -> None:
    """Expect a part of the map to lie within it."""
    expect(part).to_be_visible()
    room, there = page.locator("#map").bounding_box(), part.bounding_box()
    assert room is not None
    assert there is not None
    assert room["x"] < there["x"] < room["x"] + room["width"]


@pytest.mark.parametrize("query", ["", "?at=-16.8,180,17", "?at=-16.8,-180,17"])
def test_the_map_shows_both_sides(open_page: Any, fiji: WritableServer, query: str) -> None:
    page = open_page(fiji.address, at=f"map{query}")
    expect(page.locator("#map-note")).to_contain_text("2 of 2 places")
    expect(page.locator(".leaflet-control-scale-line")).to_have_text(CLOSE)
    page.locator("#in-view summary").click()
    for name in "west.jpg", "east.jpg":
        page.get_by_role("button", name=name).click()
        expect(page.locator("#chosen")).to_contain_text(name)
        expect_within(page.locator("#map .chosen-dot"), page)
    page.get_by_role("button", name="Around the middle").click()
    expect_within(page.locator("#map .search-circle"), page)


def test_results_on_both_sides_are_pinned_beside_each_other(
    open_page: Any, fiji: WritableServer, town: Any
) -> None:
    page = open_page(fiji.address)
    page.set_input_files("#photo", town.query(0))
    pins = page.locator("#map .place-pin")
    expect(pins).to_have_count(2)
    for pin in pins.all():
        expect_within(pin, page)


def test_a_pin_is_put_on_the_other_side(open_page: Any, fiji: WritableServer) -> None:
    page = open_page(fiji.address)
    page.evaluate("key => sessionStorage.setItem('place-search-key', key)", fiji.key)
    page.goto(f"{fiji.address}place?id=0")
    expect(page.locator("#tools form.tend")).to_be_visible()
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.locator("#map").click(position={"x": box["width"] * 3 / 4, "y": box["height"] / 2})
    expect(page.get_by_label("Longitude")).to_have_value(re.compile(r"^-179\.99"))
    expect_within(page.locator("#map .place-pin"), page)


def test_a_path_across_it_is_short(open_page: Any, fiji: WritableServer) -> None:
    page = open_page(fiji.address, at="track")
    page.evaluate(
        """async (longitudes) => {
            for (const id of ['track', 'map']) document.getElementById(id).hidden = false;
            const { addToPath } = await import('./track-map.js');
            for (const [at, longitude] of longitudes.entries()) {
                const latitude = -16.8 + at / 1000; // a level line would have no height
                addToPath({ known: true, position: { latitude, longitude } });
            }
        }""",
        [WEST, EAST, WEST - 0.003],
    )
    expect(page.locator(".leaflet-control-scale-line")).to_have_text(CLOSE)
    expect_within(page.locator("#map path.path"), page)
