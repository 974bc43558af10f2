"""A place that is removed: by who looks at it, by others meanwhile, and before it is opened."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import PORTRAIT, WritableServer
from tests.web.test_pages import check_accessible


def test_a_place_is_removed_and_brought_back_by_keyboard(
    open_place: Callable[..., Page], api: httpx.Client
) -> None:
    page = open_place(PORTRAIT)
    page.get_by_role("button", name="Remove this place").focus()
    page.keyboard.press("Enter")
    undo = page.get_by_role("button", name="Bring it back")
    expect(undo).to_be_focused()
    expect(page.locator("#answer")).to_be_hidden()
    assert api.get(f"/v1/places/{PORTRAIT}").status_code == 404
    check_accessible(page)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove this place")).to_be_focused()
    assert api.get(f"/v1/places/{PORTRAIT}").status_code == 200


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "Place 9 was removed."),
        ("hi", "जगह 9 हटा दी गई।"),
        ("hi-Latn", "Jagah 9 hata di gayi."),
    ],
)
def test_a_removed_place_that_is_opened_is_brought_back_by_who_may(
    open_page: Any, writable_server: WritableServer, api: httpx.Client, language: str, told: str
) -> None:
    assert api.delete("/v1/places/9").status_code == 204
    size = {"width": 320, "height": 700}
    page = open_page(
        writable_server.address, expected=("404",), at="place?id=9", locale=language, viewport=size
    )
    removed = page.locator("#removed")
    expect(removed.locator("p").first).to_contain_text(told)
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#answer")).to_be_hidden()
    key, buttons = removed.locator("#key"), removed.get_by_role("button")
    expect(buttons).to_have_count(1)  # that of the key
    check_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    key.fill(writable_server.read_key)
    page.keyboard.press("Enter")
    expect(removed.get_by_role("alert")).to_be_visible()
    expect(key).to_be_focused()
    page.keyboard.type(writable_server.key)
    page.keyboard.press("Enter")
    expect(key).to_have_count(0)
    expect(buttons).to_be_focused()
    page.reload()
    expect(buttons).to_be_focused()
    check_accessible(page)
    page.keyboard.press("Enter")
    expect(page.locator("#remove")).to_be_focused()
    expect(removed).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_have_text("street-9/09.jpg")
    expect(page.locator("#tend-note")).to_be_visible()


def test_a_save_that_fails_is_not_told_as_saved_and_brings_a_removed_place_back(
    open_place: Callable[..., Page], api: httpx.Client
) -> None:
    page = open_place(11, expected=("404", "503"))
    save = page.get_by_role("button", name="Save", exact=True)
    note = page.get_by_label("Note", exact=True)
    note.fill("first")
    save.click()
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    page.route("**/v1/places/11", lambda route: route.fulfill(status=503))
    note.fill("second")
    save.click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#tend-said")).to_be_empty()
    page.unroute_all()
    assert api.delete("/v1/places/11").status_code == 204
    save.click()
    page.get_by_role("button", name="Bring it back").click()
    expect(note).to_have_value("second")
    save.click()
    expect(page.locator("#tend-said")).to_have_text("Saved.")
    assert api.get("/v1/places/11").json()["note"] == "second"
