"""Installing the pages, and opening them without a connection: what is kept, and what never is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

KEPT = """async () => {
    const kept = [];
    for (const name of await caches.keys()) {
        for (const { url } of await (await caches.open(name)).keys()) kept.push(url);
    }
    return kept;
}"""
ALL_KEPT = f"""async () => {{
    const kept = await ({KEPT})();
    const own = performance.getEntriesByType('resource').map(({{ name }}) => name)
        .filter((url) => /\\.(js|css)$/.test(url));
    return own.length > 5 && own.every((url) => kept.includes(url));
}}"""
"""Whether the worker has kept all that the page is made of, which it does one by one."""
SHELL = re.compile(r"(|[a-z]+|(vendor/leaflet/)?[\w-]+\.(js|css|svg|webmanifest))")


@pytest.fixture
def visited(open_page: Any, server: str, town: Any) -> Iterator[Page]:
    """A page that has searched, with what it is made of kept."""
    failures = ("ERR_INTERNET_DISCONNECTED", "ERR_FAILED")
    page: Page = open_page(server, service_workers="allow", expected=failures)
    page.set_input_files("#photo", town.query(3))
    expect(page.locator("#results:not([aria-busy]) .card")).to_have_count(10)
    page.wait_for_function(ALL_KEPT)
    page.goto(f"{server}places")
    expect(page.locator("#places > li").first).to_be_visible()
    yield page
    page.context.set_offline(False)


def test_no_photo_and_no_answer_is_kept(visited: Page, server: str) -> None:
    visited.goto(f"{server}map?place=5")
    expect(visited.locator("#chosen img")).to_have_js_property("naturalWidth", 320)
    kept = visited.evaluate(KEPT)
    assert f"{server}places" in kept
    assert f"{server}vendor/leaflet/leaflet.js" in kept
    assert [url for url in kept if not SHELL.fullmatch(url.removeprefix(server))] == []
    assert f"{server}page.json" not in kept


def test_pages_open_without_a_connection_and_say_what_waits(visited: Page, server: str) -> None:
    visited.context.set_offline(True)
    visited.goto(server)
    expect(visited.get_by_role("heading", level=1)).to_be_attached()
    expect(visited.locator("#status")).to_contain_text("No answer from the server")
    visited.goto(f"{server}compare")
    expect(visited.get_by_role("heading", level=1)).to_have_text("No connection to the server")
    expect(visited.locator("section[lang=en]")).to_contain_text("still open")
    visited.context.set_offline(False)  # then it comes by itself
    expect(visited.locator("#status")).to_contain_text("12 places")
    expect(visited.get_by_role("heading", level=1)).to_have_text(
        "Do two photos show the same place?"
    )


def test_the_manifest_names_what_is_there(server: str) -> None:
    with httpx.Client(base_url=server) as client:
        page = client.get("").text
        assert 'rel="manifest" href="manifest.webmanifest"' in page
        answer = client.get("manifest.webmanifest")
        assert answer.headers["content-type"].startswith("application/manifest+json")
        manifest = json.loads(answer.text)
        assert (manifest["start_url"], manifest["display"]) == ("./", "standalone")
        for icon in manifest["icons"]:
            found = client.get(icon["src"])
            assert (found.status_code, found.headers["content-type"].partition(";")[0]) == (
                200,
                icon["type"],
            )
