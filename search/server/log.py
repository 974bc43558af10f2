"""The server's log: lines on standard error, written by a thread of their own."""

import json
import logging
import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import Any

from place_search.core.text import printable

WAITING_LINES = 10_000


class JsonLine(str):
    """A message that is a line of JSON; others are sentences."""

    __slots__ = ()


def json_line(**facts: Any) -> JsonLine:
    """The line of an event that happens now; facts that are None are left out."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    known = {key: value for key, value in facts.items() if value is not None}
    return JsonLine(json.dumps({"time": time, **known}))


class _Lines(logging.Formatter):
    """Makes a line of each message, of sentences too where `all_json`."""

    def __init__(self, *, all_json: bool) -> None:
        super().__init__()
        self._all_json = all_json

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, JsonLine):
            return record.msg
        trace = self.formatException(record.exc_info) if record.exc_info else None
        sentence = record.getMessage()
        if self._all_json:
            level = record.levelname.lower()
            return json_line(event=level, message=sentence, traceback=trace)
        shown = printable(sentence)
        if sys.stderr.isatty():
            shown = f"\x1b[1;31m{shown}\x1b[0m"
        return f"{shown}\n{trace}" if trace else shown


class _DroppingHandler(QueueHandler):
    """A handler that drops a line when the queue is full, so that no request waits."""

    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self.queue.put_nowait(record)


@contextmanager
def logging_to_stderr(*, all_json: bool) -> Iterator[None]:
    """Write messages, those of libraries from warnings on, during the `with` block.

    With `all_json` each is a line of JSON; else the sentences among them are written as they are.
    """
    for library in ("python_multipart", "uvicorn"):
        # They warn of every malformed request, which needs nobody's attention.
        logging.getLogger(library).setLevel(logging.ERROR)
    everything, own = logging.getLogger(), logging.getLogger("place_search")
    lines: queue.Queue[logging.LogRecord] = queue.Queue(WAITING_LINES)
    handler = _DroppingHandler(lines)
    handler.setFormatter(_Lines(all_json=all_json))
    listener = QueueListener(lines, logging.StreamHandler(sys.stderr))
    level = own.level
    everything.addHandler(handler)
    logging.captureWarnings(all_json)
    own.setLevel(logging.INFO)
    listener.start()
    try:
        yield
    finally:
        logging.captureWarnings(False)
        everything.removeHandler(handler)
        own.setLevel(level)
        listener.stop()
