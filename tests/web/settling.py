"""Waiting until a page has sent and received all its requests."""

from weakref import WeakKeyDictionary

from playwright.sync_api import Page, Request

from tests.waiting import wait_until

_RUNNING: WeakKeyDictionary[Page, set[Request]] = WeakKeyDictionary()

IDLE = """() => new Promise((resolve) =>
    requestAnimationFrame(() => requestIdleCallback(() => resolve())))"""


def note_requests(page: Page) -> None:
    """Keep track of the running requests of a page."""
    running = _RUNNING.setdefault(page, set())
    page.on("request", lambda request: running.add(request))
    page.on("requestfinished", lambda request: running.discard(request))
    page.on("requestfailed", lambda request: running.discard(request))


def settle(page: Page) -> None:
    """Wait until no request of a page is running, and the idle page sends none.

    Playwright's `networkidle` is half a second without a request, most of the time of a test.
    """
    page.wait_for_load_state()
    wait_until(
        lambda: all(_is_idle(page) for _ in range(3)),
        f"still to come: {[request.url for request in _RUNNING[page]]}",
    )


def _is_idle(page: Page) -> bool:
    page.evaluate(IDLE)
    return not _RUNNING[page]
