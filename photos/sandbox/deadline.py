"""The deadline for decoding the photos of a request, kept in a context variable."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_until: ContextVar[float] = ContextVar("until", default=math.inf)


@contextmanager
def decoding_until(moment: float) -> Iterator[None]:
    """Set the deadline of all decoding inside, waiting included, by `time.monotonic`."""
    token = _until.set(moment)
    try:
        yield
    finally:
        _until.reset(token)


def decoding_deadline() -> float:
    """The deadline of the current request; infinite without one."""
    return _until.get()
