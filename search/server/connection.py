"""Connections that may not be held for nothing: the parts of a server below a request."""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from place_search.search.server.problems import BAD_REQUEST, BUSY, MEDIA_TYPE, Problem


def connection_class(*, read_seconds: float, write_seconds: float, most: int) -> type[H11Protocol]:
    """The protocol class of a server's connections.

    A request's head must arrive within `read_seconds`, a client may not stop reading an answer for
    `write_seconds`, and connections beyond `most` are answered 429 and closed.
    """

    class Connection(H11Protocol):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._reading: asyncio.TimerHandle | None = None
            self._writing: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > most:
                self._refuse(BUSY, "The server has too many connections; try again in a second.")
            else:
                self._time_head()

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            super().data_received(data)
            self._time_head()

        def _time_head(self) -> None:
            """Time the head of a request while one is awaited or under way."""
            awaited = self.cycle is None or self.cycle.response_complete
            if not awaited and self._reading is not None:
                self._reading.cancel()
                self._reading = None
            elif awaited and self._reading is None:
                self._reading = self.loop.call_later(read_seconds, self._close)

        def _close(self) -> None:
            self._reading = None
            if not self.transport.is_closing() and (
                self.cycle is None or self.cycle.response_complete
            ):
                self.transport.close()

        def pause_writing(self) -> None:
            super().pause_writing()
            if self._writing is None:
                self._writing = self.loop.call_later(write_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._writing is not None:
                self._writing.cancel()
                self._writing = None

        def connection_lost(self, exc: Exception | None) -> None:
            for timer in (self._reading, self._writing):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            self._refuse(BAD_REQUEST, "This is no HTTP request; check what sent it.")

        def _refuse(self, problem: Problem, detail: str) -> None:
            content = json.dumps(problem.describe(detail)).encode()
            self.transport.write(
                f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
                f"content-length: {len(content)}\r\nretry-after: 1\r\n"
                "connection: close\r\n\r\n".encode()
                + content
            )
            self.transport.close()

    return Connection
