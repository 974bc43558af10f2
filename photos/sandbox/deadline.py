"""When the photos of one request must be decoded, known to whatever decodes them in its thread."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_until: ContextVar[float] = ContextVar("until", default=math.inf)


@contextmanager
def decoding_until(moment: float) -> Iterator[None]:
    """Bound all decoding inside, waiting included, by a moment of `time.monotonic`."""
    token = _until.set(moment)
    try:
        yield
    finally:
        _until.reset(token)


def decoding_deadline() -> float:
    """The moment of this thread's request; infinite where there is none."""
    return _until.get()
