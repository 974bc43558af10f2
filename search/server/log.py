"""The server's log: lines on standard error, written by a thread of their own."""

import logging
import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler, QueueListener

WAITING_LINES = 10_000


class _DroppingHandler(QueueHandler):
    """A handler that drops a line when the queue is full, so that no request waits."""

    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self.queue.put_nowait(record)


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Write the messages logged under "place_search", unformatted, during the `with` block."""
    for library in ("python_multipart", "uvicorn"):
        # They warn of every malformed request, which needs nobody's attention.
        logging.getLogger(library).setLevel(logging.ERROR)
    logger = logging.getLogger("place_search")
    lines: queue.Queue[logging.LogRecord] = queue.Queue(WAITING_LINES)
    handler = _DroppingHandler(lines)
    listener = QueueListener(lines, logging.StreamHandler(sys.stderr))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    listener.start()
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        listener.stop()
