"""uvicorn's server with bounds on its connections, and with an orderly end.

The bounds are on the number of connections, and on the times and sizes of what they send and read.
"""

import asyncio
import json
import signal
import socket
from collections import Counter
from types import FrameType
from typing import Any, ClassVar

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from place_search.search.server.clients import client_address, client_network
from place_search.search.server.problems import BAD_REQUEST, BUSY, MEDIA_TYPE, Problem

HEAD_BYTES = 1 << 16
SLICE_BYTES = 4096
FREE_CHUNKS = 1000
LEAST_CHUNK = 256
"""The average size in bytes of chunks beyond `FREE_CHUNKS`: small chunks cost as much as large."""
FINISH_SECONDS = 9
"""The time that requests have to be answered in once the server stops."""
LENGTHS = {b"content-length", b"transfer-encoding"}
"""A request with both may end elsewhere for a proxy than for this server (RFC 9112, 6.3), so that
the rest would be read as a request of another client."""


class HttpServer(uvicorn.Server):
    """A server that ends late requests as if their clients had left.

    uvicorn cancels them instead, with a traceback each, and after a second Ctrl-C leaves the
    application open.
    """

    _hurries = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a second Ctrl-C ends what runs, and a third all, as uvicorn's second does."""
        if sig == signal.SIGINT and self.should_exit and self.started and not self._hurries:
            self._hurries = True
            for server in self.servers:
                server.get_loop().call_soon_threadsafe(self._disconnect)
        else:
            super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer the requests in progress, then close the application."""
        asyncio.get_running_loop().call_later(FINISH_SECONDS, self._disconnect)
        await super().shutdown(sockets)

    def _disconnect(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class _CountingChunks(h11.Connection):
    """Counts the chunks and bytes of a request's body, which must have one length."""

    chunks = size = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Data):
            self.chunks += 1
            self.size += len(event.data)
        elif isinstance(event, h11.Request):
            self.chunks = self.size = 0
            if {name for name, _ in event.headers} >= LENGTHS:
                raise h11.RemoteProtocolError("two lengths")
            return _below_its_host(event)
        return event

    @property
    def too_many(self) -> bool:
        """Whether the chunks are so small that reading them delays all other connections."""
        return self.chunks > FREE_CHUNKS + self.size // LEAST_CHUNK


def _below_its_host(request: h11.Request) -> h11.Request:
    """A request whose target is a path; through a proxy it may be a whole address (RFC 9112)."""
    _, scheme_ends, rest = request.target.partition(b"://")
    if not scheme_ends or request.target.startswith(b"/"):
        return request
    return h11.Request(
        method=request.method,
        headers=list(request.headers),
        target=b"/" + rest.partition(b"/")[2],
        http_version=request.http_version,
    )


class _Connection(H11Protocol):
    """A connection; a subclass sets its bounds, see `connection_class`."""

    read_seconds: ClassVar[float]
    write_seconds: ClassVar[float]
    max_connections: ClassVar[int]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.conn = self._pieces = _CountingChunks(h11.SERVER, HEAD_BYTES)
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._since = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is not None:
            host, port = self.client
            self.client = str(client_address(host)), port
        self._time_head()
        if len(self.connections) > self.max_connections:
            self._make_room()

    def _make_room(self) -> None:
        open_connections = [
            connection
            for connection in self.connections
            if isinstance(connection, _Connection) and not connection.transport.is_closing()
        ]
        if len(open_connections) <= self.max_connections:
            return
        counts = Counter(connection._host for connection in open_connections)
        waiting = [each for each in open_connections if each._waits_for_client]
        victim = max(waiting, key=lambda each: (counts[each._host], -each._since))
        victim._give_up()

    @property
    def _host(self) -> str:
        return client_network(self.client[0] if self.client else "")

    @property
    def _idle(self) -> bool:
        """Whether no request is in progress."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def _waits_for_client(self) -> bool:
        return self._idle or self.cycle.more_body or self._writing is not None

    def _give_up(self) -> None:
        if self.cycle is not None and (self._idle or self.cycle.response_started):
            self.transport.abort()  # an error now would be read as part of the answer
        else:
            self._refuse(BUSY, "The server has too many connections; try again in a second.")

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        # Chunks of a few bytes would keep the event loop from all other connections.
        start = 0
        while start < len(data) and not self.transport.is_closing():
            end = start + SLICE_BYTES if self._idle or self._chunked else len(data)
            super().data_received(data[start:end])
            start = end
            if self._pieces.too_many:
                self._refuse(BAD_REQUEST, "The request comes in too many pieces; send larger.")
        self._time_head()

    @property
    def _chunked(self) -> bool:
        return any(name == b"transfer-encoding" for name, _ in self.headers)

    def _time_head(self) -> None:
        """Limit the time of a request's head while the connection waits for it."""
        awaited = self._idle
        if not awaited and self._reading is not None:
            self._reading.cancel()
            self._reading = None
        elif awaited and self._reading is None:
            self._reading = self.loop.call_later(self.read_seconds, self._close)

    def _close(self) -> None:
        self._reading = None
        if not self.transport.is_closing() and self._idle:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(self.write_seconds, self.transport.abort)

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


def connection_class(
    *, read_seconds: float, write_seconds: float, max_connections: int
) -> type[H11Protocol]:
    """The protocol class of a server's connections.

    A request's head must arrive within `read_seconds`, and a client may not stop reading an answer
    for `write_seconds`. Above `max_connections`, the client with the most connections loses the
    one on which the server has waited longest, with an answer of 429.
    """
    bounds = {
        "read_seconds": read_seconds,
        "write_seconds": write_seconds,
        "max_connections": max_connections,
    }
    return type("Connection", (_Connection,), bounds)
