"""A panorama on the pages: where its places look, and which of its views shows them."""

from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from place_search.indexer import VideoRequest, build_index, open_source
from place_search.models import Model
from tests.panoramas import gpano, panorama, photo, scene, sizes
from tests.web.conftest import serving
from tests.web.test_pages import check_accessible

CUT = """() => [...document.querySelectorAll('#cards p:not([title])')]
    .filter((part) => part.scrollWidth > part.clientWidth)
    .map((part) => part.textContent)"""
"""Sentences of which the end is not seen."""


def test_a_panorama_says_where_it_and_its_places_look(
    open_page: Any, servers: Any, model: Model, tmp_path: Path
) -> None:
    data, out = tmp_path / "photos", tmp_path / "index"
    data.mkdir()
    for seed in range(3):
        (data / f"{seed}.jpg").write_bytes(panorama(seed, heading=45.0, width=4096))
    build_index(open_source(data, None, VideoRequest(out)), out, model)
    _, address = servers.enter_context(serving(out))

    # The browser makes it smaller before it is sent, and must leave enough for views.
    query = tmp_path / "query.jpg"
    query.write_bytes(photo(scene(1, 4096), gpano(**sizes(4096, 2048), PoseHeadingDegrees=135)))
    page = open_page(address)
    with page.expect_response("**/v1/search*") as answer:
        page.set_input_files("#photo", query)
    assert answer.value.json()["query"]["width"] == 3500
    first = page.locator("#results:not([aria-busy]) #cards > .card").first
    expect(first).to_contain_text("and 11 more photos of it")
    # What looked to 45 when it was indexed is said to look to 135 now.
    looking = first.locator(".looking").inner_text()
    seen = {
        "north": "east",
        "north-east": "south-east",
        "east": "south",
        "south-east": "south-west",
        "south": "west",
        "south-west": "north-west",
        "west": "north",
        "north-west": "north-east",
    }
    place, view = looking.split(" · ")
    direction = place.removeprefix("looking ").split(",")[0]
    assert view.startswith(f"in your panorama to the {seen[direction]}, ")
    check_accessible(page)
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate(CUT) == []

    first.locator(".frame").first.click()
    expect(page.locator("#viewer .looking")).to_have_text(looking)
    expect(page.locator("#viewer")).not_to_contain_text("matching points between")
    page.locator("#viewer a[href^='place?id=']").click()
    expect(page.locator("#facts")).to_contain_text(direction)
    expect(page.locator("#facts")).to_contain_text("Looks")
