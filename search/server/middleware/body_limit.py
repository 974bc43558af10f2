"""The limit on a request's body, enforced while it streams in."""

import asyncio
from collections import Counter
from contextlib import suppress

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from place_search.search.server.clients import client_of
from place_search.search.server.problems import BODY_TOO_LARGE, problem_response

DRAIN_SECONDS = 3.0
DRAIN_BYTES = 1 << 26
STALLED_SECONDS = 1.0
"""The pause in a refused body, in seconds, after which its rest is not read."""
TAIL_BYTES = 1024
"""The size of a body's end that must have the last boundary of a form."""
LEAST_RATE = 10_000
"""The average rate in bytes a second below which a body is too slow."""


class BodyLimit:
    """ASGI middleware that refuses bodies over `max_bytes` with a 413 problem.

    A body that announces its size is refused before it is read, any other as soon as it exceeds
    the limit. A body may pause for `seconds`, or for `seconds` in all if it is slower than
    `LEAST_RATE`. All bodies together may hold `max_held_bytes` in memory: beyond that the client
    that holds the most loses its oldest unfinished body.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, max_held_bytes: int, seconds: float = 30.0
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.max_held_bytes = max(max_held_bytes, max_bytes)
        self.seconds = seconds
        # No photo is written to disk: forms are parsed in memory, whatever their size.
        MultiPartParser.spool_max_size = max(MultiPartParser.spool_max_size, max_bytes)
        # In the order of their arrival.
        self._bodies: dict[_Body, None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(self, scope, receive, send)
        if body.announced > self.max_bytes:
            response = problem_response(BODY_TOO_LARGE, self.sentence())
            await response(scope, receive, body.send)
            return
        self._bodies[body] = None
        try:
            await self.app(scope, body.receive, body.send)
        finally:
            del self._bodies[body]

    def sentence(self) -> str:
        """The sentence of the answer to a body that is too large."""
        return (
            f"The request is larger than {self.max_bytes / 2**20:g} MiB, the server's limit; "
            "send a smaller photo."
        )

    def make_room(self, newest: "_Body") -> None:
        """Give bodies up until the others are within the bound.

        Raises:
            HTTPException: `newest` was given up.
        """
        while sum(body.size for body in self._bodies) > self.max_held_bytes:
            client_bytes: Counter[str] = Counter()
            for body in self._bodies:
                client_bytes[body.client] += body.size
            coming = [body for body in self._bodies if body.is_coming]
            if not coming:  # all others are complete, and in use
                newest.give_up()
                raise _too_many_uploads()
            heaviest = max((body.client for body in coming), key=client_bytes.__getitem__)
            victim = next(body for body in coming if body.client == heaviest)
            victim.give_up()
            if victim is newest:
                raise _too_many_uploads()


class _Body:
    """One request's body: counts its bytes, and reads its rest before a response starts.

    A client that is still sending when the server answers and closes would see a reset connection
    instead of the answer; so the rest is read and dropped first, up to a bound.
    """

    def __init__(self, limits: BodyLimit, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        self.announced = int(length) if length.isdecimal() and len(length) < 20 else 0
        self.size = 0
        """The bytes of the body in memory."""
        self._boundary = parse_options_header(headers.get("content-type"))[1].get(b"boundary")
        self._tail = b""
        self._scope = scope
        self._receive = receive
        self._send = send
        self._limits = limits
        self._began = asyncio.get_running_loop().time()
        self._counted = True
        self._given_up = False
        self._timer: asyncio.Timeout | None = None
        # A client that expects 100-continue has sent nothing yet, and sends nothing if refused.
        self._drainable = "expect" not in headers
        self._finished = not (self.announced or "transfer-encoding" in headers)

    @property
    def client(self) -> str:
        """The client that sends the body."""
        return client_of(self._scope)

    @property
    def is_coming(self) -> bool:
        """Whether the body is unfinished, so that it can be given up."""
        return not self._finished and not self._given_up

    def give_up(self) -> None:
        """Drop the body; its client gets an answer of 429."""
        self._given_up, self.size = True, 0
        if self._timer is not None:
            self._timer.reschedule(self._began)

    async def receive(self) -> Message:
        message = await self._next()
        if message["type"] == "http.request":
            self._drainable = True
            self._finished = not message.get("more_body", False)
            if self._counted:
                self.size += len(message.get("body", b""))
                if self.size > self._limits.max_bytes:
                    raise HTTPException(413, self._limits.sentence())
                self._limits.make_room(self)
                self._check_end(message.get("body", b""))
        else:
            self._finished = True
        return message

    def _check_end(self, piece: bytes) -> None:
        """Refuse a form without its end: the parser would drop its last field without an error."""
        self._tail = (self._tail + piece[-TAIL_BYTES:])[-TAIL_BYTES:]
        if self._finished and self._boundary and b"--%b--" % self._boundary not in self._tail:
            raise HTTPException(400, "The form ends before its last boundary; send all of it.")

    async def _next(self) -> Message:
        if self._finished:
            return await self._receive()
        if self._given_up and self._counted:
            raise _too_many_uploads()
        now = asyncio.get_running_loop().time()
        seconds = self._limits.seconds
        slowest = self._began + seconds + self.size / LEAST_RATE
        try:
            async with asyncio.timeout_at(min(now + seconds, slowest)) as self._timer:
                return await self._receive()
        except TimeoutError:
            if self._given_up:
                raise _too_many_uploads() from None
            # For so slow a client, reading the rest would only delay the answer.
            self._drainable = False
            raise HTTPException(
                408, f"The request did not arrive within {seconds:g} s; send it again."
            ) from None
        finally:
            self._timer = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._finished:
            if self._drainable:
                await self._drain()
            if not self._finished:
                MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)

    async def _drain(self) -> None:
        self._counted, self.size = False, 0
        deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
        with suppress(TimeoutError, HTTPException):
            async with asyncio.timeout(STALLED_SECONDS) as stalled:
                dropped = 0
                while not self._finished and dropped < DRAIN_BYTES:
                    dropped += len((await self.receive()).get("body", b""))
                    now = asyncio.get_running_loop().time()
                    stalled.reschedule(min(now + STALLED_SECONDS, deadline))


def _too_many_uploads() -> HTTPException:
    return HTTPException(429, "The server has too many uploads under way; try again in a second.")
