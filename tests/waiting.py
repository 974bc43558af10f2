"""Waiting for what must come true: by looking again and again, never for a fixed time."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SECONDS = 120
"""On a busy machine all takes many times as long, and nobody waits for what does come true."""
EVERY_SECONDS = 0.005
PATIENT = {"PLACE_SEARCH_QUEUE_SECONDS": "60", "PLACE_SEARCH_DECODE_SECONDS": "30"}
"""Variables of servers that refuse nothing for a busy machine; options come before them."""


def wait_until(look: Callable[[], T], what: str, *, seconds: float = SECONDS) -> T:
    """The first true value that `look` gives; after `seconds` the test fails with `what`."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, what
        time.sleep(EVERY_SECONDS)
    return seen


async def until(look: Callable[[], object], what: str, *, seconds: float = SECONDS) -> None:
    """`wait_until`, for what happens in this event loop."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(EVERY_SECONDS)
