"""Photos to try with one click, only where a server offers some."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import expect

from place_search.indexer import open_index
from place_search.models import Model
from place_search.search.engine import Engine
from place_search.search.server.app import create_app
from place_search.search.server.content.samples import Samples
from tests.waiting import SECONDS, wait_until
from tests.web.test_pages import check_accessible, finalize_commit

SHIFT = """() => new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => (sum += entry.value)))
        .observe({ type: 'layout-shift', buffered: true });
    requestAnimationFrame(() => setTimeout(() => resolve(sum), 50));
})"""


@pytest.fixture(scope="module")
def offering(town: Any, index_folder: Path, model: Model) -> Iterator[str]:
    """The address of a server that offers four photos, the last of no place here, and two pairs."""
    elsewhere = town.folder / "elsewhere.jpg"
    town.view(99).save(elsewhere, "JPEG")
    queries = (town.query(2), town.query(3), town.query(5), elsewhere)
    pairs = ((queries[0], town.folder / town.name(2)), (queries[0], elsewhere))
    engine = Engine(open_index(index_folder), model)
    app = create_app(engine, samples=Samples(queries, pairs))
    server = uvicorn.Server(uvicorn.Config(app, port=0, ws="none", log_level="error"))
    with ExitStack() as stack:
        thread = threading.Thread(target=server.run)
        thread.start()
        stack.callback(thread.join, timeout=SECONDS)
        stack.callback(setattr, server, "should_exit", True)
        wait_until(lambda: server.started, "the server did not start")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"


def test_one_click_searches(open_page: Any, offering: str) -> None:
    page = open_page(offering)
    samples = page.locator("#samples button")
    expect(samples).to_have_count(4)
    finalize_commit(page)
    check_accessible(page)
    assert page.evaluate(SHIFT) == 0
    samples.nth(2).press("Enter")
    expect(page.locator(".card").first).to_contain_text("street-5/05.jpg")
    expect(page.locator("#samples")).to_be_hidden()
    page.go_back()
    expect(page.locator("#preview")).to_be_hidden()
    samples.nth(3).click()
    expect(page.locator("#preview")).to_be_visible()
    expect(page.locator("h2.not_found")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "hi-Latn"])
def test_one_click_compares(open_page: Any, offering: str, language: str) -> None:
    phone = {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True}
    page = open_page(offering, locale=language, **phone)
    page.goto(f"{offering}compare")
    pairs = page.locator("#samples button")
    expect(pairs).to_have_count(2)
    finalize_commit(page)
    check_accessible(page)
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [390] * 2
    assert page.evaluate(SHIFT) == 0
    same, different = (
        ("The same place", "Probably different places")
        if language == "en"
        else ("Ek hi jagah hai", "Lagta hai jagahein alag-alag hain")
    )
    pairs.nth(0).click()
    expect(page.locator("#outcome")).to_contain_text(same)
    pairs.nth(1).click()
    expect(page.locator("#outcome")).to_contain_text(different)


def test_other_servers_offer_none(open_page: Any, server: str) -> None:
    page = open_page()
    for address in ("", "compare"):
        page.goto(f"{server}{address}")
        finalize_commit(page)
        expect(page.locator("#samples")).to_be_hidden()
    expect(page.locator(".plain")).to_be_visible()
