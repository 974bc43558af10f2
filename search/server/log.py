"""The server's log: lines on standard error, written by a thread of their own."""

import json
import logging
import math
import queue
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import Any, TextIO

from place_search.core.text import printable

WAITING_LINES = 10_000
LAST_SECONDS = 1.0
"""The seconds for which a server that stops waits until its last lines are taken."""
_PIECE = 400
"""The number of letters that are written at once: a pipe with room takes 4 kB, however encoded."""
_POLL_MS = 100


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


class _UnheldHandler(logging.StreamHandler[TextIO]):
    """Writes what a pipe or a terminal takes: one that takes nothing may not hold up the stop."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._deadline = math.inf
        self._poll: select.poll | None = None
        with suppress(OSError):  # of a stream without a file
            number = stream.fileno()
            self._poll = select.poll()
            self._poll.register(number, select.POLLOUT)

    def finish(self) -> None:
        """From now on, drop what is not taken in time."""
        self._deadline = time.monotonic() + LAST_SECONDS

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            line = f"{self.format(record)}{self.terminator}"
            for start in range(0, len(line), _PIECE):
                if not self._has_room():
                    return
                self.stream.write(line[start : start + _PIECE])
                self.flush()
        except Exception:
            self.handleError(record)

    def _has_room(self) -> bool:
        if self._poll is None:
            return True
        while not self._poll.poll(0 if self._is_late() else _POLL_MS):
            if self._is_late():
                return False
        return True

    def _is_late(self) -> bool:
        return time.monotonic() >= self._deadline


class _Listener(QueueListener):
    def __init__(self, lines: "queue.Queue[logging.LogRecord | None]", handler: _UnheldHandler):
        super().__init__(lines, handler)
        self._lines = lines

    def enqueue_sentinel(self) -> None:
        """Mark the end of the lines, once the full queue of a stream that took none has room."""
        self._lines.put(None)


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
    written = _UnheldHandler(sys.stderr)
    listener = _Listener(lines, written)
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
        written.finish()
        listener.stop()
