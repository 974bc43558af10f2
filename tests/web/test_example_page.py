"""The page in examples/, opened from a file as a newcomer does, asks a server of another site."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.web.conftest import TIMEOUT_MS, Town

PAGE = Path(__file__).parents[2] / "examples" / "page.html"


@pytest.mark.parametrize("cors", [True, False])
def test_the_example_page_searches(
    browser: Browser, start_server: Callable[..., str], town: Town, cors: bool
) -> None:
    address = start_server(*(("--cors", "*") if cors else ()))
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    try:
        page.goto(f"{PAGE.as_uri()}?server={address}")
        page.get_by_label("Photo").set_input_files(town.query(2))
        if not cors:
            refused = "The server does not answer, or not this page: start it with --cors '*'."
            expect(page.get_by_role("status")).to_have_text(refused)
            return
        expect(page.get_by_role("status")).to_have_text("This place is known.")
        expect(page.locator("li").first).to_contain_text(town.name(2))
        first = page.locator("li img").first
        expect(first).to_have_js_property("complete", True)
        assert first.evaluate("image => image.naturalWidth") > 0
        listed = page.evaluate(
            """async (address) => {
                const names = [];
                const server = new PlaceSearch(address);
                for await (const place of server.places({ limit: 5, sort: '-id' })) {
                    names.push(place.name);
                }
                const said = await server.edit(0, {}).catch((problem) => problem.type);
                return [names, said];
            }""",
            address,
        )
        names, said = listed
        assert len(names) == len(set(names)) == 12
        assert said == "/problems/method-not-allowed"
    finally:
        page.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *said: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a site of one's own, which has the example page."""
    handler = partial(_Quiet, directory=str(PAGE.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield site.server_port
        site.shutdown()
        thread.join()


SHOWS = """([url, crossOrigin]) => new Promise((shown) => {
    const image = new Image();
    image.crossOrigin = crossOrigin;
    image.onload = () => shown(true);
    image.onerror = () => shown(false);
    image.src = url;
})"""


def test_only_pages_of_a_named_site_show_photos(
    browser: Browser, start_server: Callable[..., str], town: Town, port: int
) -> None:
    address = start_server("--cors", f"http://localhost:{port}")
    photo = f"{address}v1/places/0/image"
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    try:
        page.goto(f"http://localhost:{port}/{PAGE.name}?server={address}")
        page.get_by_label("Photo").set_input_files(town.query(2))
        expect(page.get_by_role("status")).to_have_text("This place is known.")
        first = page.locator("li img").first
        expect(first).to_have_js_property("complete", True)
        assert first.evaluate("image => image.naturalWidth") > 0
        assert page.evaluate(SHOWS, [photo, "anonymous"])
        page.goto(f"http://127.0.0.1:{port}/{PAGE.name}?server={address}")
        for mode in ("anonymous", None):
            assert not page.evaluate(SHOWS, [photo, mode])
        page.goto(address)
        assert page.evaluate(SHOWS, [photo, None])
    finally:
        page.close()
