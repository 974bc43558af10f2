"""The limit on a request's body, enforced while it streams in."""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from place_search.search.server.problems import BODY_TOO_LARGE, problem_response

DRAIN_SECONDS = 5.0
DRAIN_BYTES = 1 << 26


class BodyLimit:
    """ASGI middleware that refuses bodies over `max_bytes` with a 413 problem.

    A body that announces its size is refused before it is read, any other as soon as it exceeds
    the limit. All bodies together may hold `max_held_bytes`, and each must arrive within `seconds`.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, max_held_bytes: int, seconds: float = 30.0
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.max_held_bytes = max(max_held_bytes, max_bytes)
        self.seconds = seconds
        self.held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(self, Headers(scope=scope), receive, send)
        if body.announced > self.max_bytes:
            response = problem_response(BODY_TOO_LARGE, self.sentence())
            await response(scope, receive, body.send)
        else:
            body.limit = self.max_bytes
            try:
                await self.app(scope, body.receive, body.send)
            finally:
                body.forget()

    def sentence(self) -> str:
        """What a body that is too large is told."""
        return (
            f"The request is larger than {self.max_bytes / 2**20:g} MiB, the server's limit; "
            "send a smaller photo."
        )


class _Body:
    """One request's body: counts what comes in, and takes in the rest before a response starts.

    A client that is still sending when the server answers and closes sees a reset connection in
    place of the answer; so what is left is read and dropped first, up to a bound.
    """

    def __init__(self, limits: BodyLimit, headers: Headers, receive: Receive, send: Send) -> None:
        length = headers.get("content-length", "")
        self.announced = int(length) if length.isdecimal() and len(length) < 20 else 0
        self.limit: int | None = None
        self._receive = receive
        self._send = send
        self._limits = limits
        self._deadline = asyncio.get_running_loop().time() + limits.seconds
        self._size = 0
        self._slow = False
        # A client that expects 100-continue has sent nothing yet and will not if refused.
        self._finished = "expect" in headers or not (
            self.announced or "transfer-encoding" in headers
        )

    async def receive(self) -> Message:
        message = await self._next()
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self._finished = not message.get("more_body", False)
            if self.limit is not None:
                self._size += size
                self._limits.held_bytes += size
                if self._size > self.limit:
                    raise HTTPException(413, self._limits.sentence())
                if self._limits.held_bytes > self._limits.max_held_bytes:
                    raise HTTPException(
                        429, "The server has too many uploads under way; try again in a second."
                    )
        else:
            self._finished = True
        return message

    async def _next(self) -> Message:
        if self._finished:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError:
            # Who is this slow will not read the answer sooner if the rest is waited for.
            self._slow = True
            raise HTTPException(
                408, f"The request did not arrive within {self._limits.seconds:g} s; send it again."
            ) from None

    def forget(self) -> None:
        """The body is not in memory any more."""
        self._limits.held_bytes -= self._size
        self._size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._finished:
            if not self._slow:
                await self._drain()
            if not self._finished:
                MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)

    async def _drain(self) -> None:
        self.limit = None
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                dropped = 0
                while not self._finished and dropped < DRAIN_BYTES:
                    dropped += len((await self.receive()).get("body", b""))
        except (TimeoutError, HTTPException):
            pass
