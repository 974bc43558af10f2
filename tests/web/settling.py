"""Waiting until a page has all that it asks for."""

from weakref import WeakKeyDictionary

from playwright.sync_api import Page, Request

from tests.waiting import wait_until

_UNDER_WAY: WeakKeyDictionary[Page, set[Request]] = WeakKeyDictionary()

IDLE = """() => new Promise((resolve) =>
    requestAnimationFrame(() => requestIdleCallback(() => resolve())))"""


def note_requests(page: Page) -> None:
    """Keep the requests of a page that are under way."""
    under_way = _UNDER_WAY.setdefault(page, set())
    page.on("request", lambda request: under_way.add(request))
    page.on("requestfinished", lambda request: under_way.discard(request))
    page.on("requestfailed", lambda request: under_way.discard(request))


def settle(page: Page) -> None:
    """Wait until a page has all that it asked for, and asks for nothing more when it is idle.

    Playwright's `networkidle` is half a second without a request, which would be most of a test.
    """
    page.wait_for_load_state()
    wait_until(
        lambda: all(_is_idle(page) for _ in range(3)),
        f"still to come: {[request.url for request in _UNDER_WAY[page]]}",
    )


def _is_idle(page: Page) -> bool:
    page.evaluate(IDLE)
    return not _UNDER_WAY[page]
