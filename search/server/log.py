"""The server's log: lines on standard error, written by a thread of their own."""

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler
from typing import Any, TextIO

from place_search.core.text import printable

WAITING_LINES = 10_000
LAST_SECONDS = 1.0
"""The seconds for which a server that stops waits until its last lines are taken."""


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


def _write_lines(lines: "queue.Queue[logging.LogRecord | None]", stream: TextIO | None) -> None:
    """Write lines until None comes; one that cannot be written is dropped."""
    while (record := lines.get()) is not None:
        with suppress(OSError, ValueError):
            if stream is not None:  # as where the program was started without it
                _write(stream, f"{record.getMessage()}\n")


def _write(stream: TextIO, text: str) -> None:
    """Write past the stream's lock: the end of the process would wait for its holder."""
    try:
        number = stream.fileno()
    except OSError:  # it has no file
        stream.write(text)
        stream.flush()
        return
    content = text.encode(stream.encoding, "backslashreplace")
    while content:
        content = content[os.write(number, content) :]


@contextmanager
def logging_to_stderr(*, all_json: bool) -> Iterator[None]:
    """Write messages, those of libraries from warnings on, during the `with` block.

    With `all_json` each is a line of JSON; else the sentences among them are written as they are.
    """
    for library in ("python_multipart", "uvicorn"):
        # They warn of every malformed request, which needs nobody's attention.
        logging.getLogger(library).setLevel(logging.ERROR)
    everything, own = logging.getLogger(), logging.getLogger("place_search")
    lines: queue.Queue[logging.LogRecord | None] = queue.Queue(WAITING_LINES)
    handler = _DroppingHandler(lines)
    handler.setFormatter(_Lines(all_json=all_json))
    # A pipe or a terminal that takes nothing may not hold up the stop.
    writer = threading.Thread(target=_write_lines, args=(lines, sys.stderr), daemon=True)
    level = own.level
    everything.addHandler(handler)
    logging.captureWarnings(all_json)
    own.setLevel(logging.INFO)
    writer.start()
    try:
        yield
    finally:
        logging.captureWarnings(False)
        everything.removeHandler(handler)
        own.setLevel(level)
        with suppress(queue.Full):
            lines.put(None, timeout=LAST_SECONDS)
        writer.join(LAST_SECONDS)
