"""The page in examples/, opened from a file as a newcomer does, asks a server of another site."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.web.conftest import PATIENCE_MS, Town

PAGE = Path(__file__).parents[2] / "examples" / "page.html"


@pytest.mark.parametrize("cors", [True, False])
def test_the_example_page_searches(
    browser: Browser, start_server: Callable[..., str], town: Town, cors: bool
) -> None:
    address = start_server(*(("--cors", "*") if cors else ()))
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
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
