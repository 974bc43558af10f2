"""The limit on a request's body, enforced while it streams in."""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search.problems import BODY_TOO_LARGE, problem_response

DRAIN_SECONDS = 5.0


class BodyLimit:
    """ASGI middleware that refuses bodies over `max_bytes` with a 413 problem.

    A body that announces its size is refused before it is read, any other as soon as it exceeds
    the limit.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(Headers(scope=scope), receive, send, self._sentence())
        if body.announced > self.max_bytes:
            response = problem_response(BODY_TOO_LARGE, self._sentence())
            await response(scope, receive, body.send)
        else:
            body.limit = self.max_bytes
            await self.app(scope, body.receive, body.send)

    def _sentence(self) -> str:
        return (
            f"The request is larger than {self.max_bytes / 2**20:g} MiB, the server's limit; "
            "send a smaller photo."
        )


class _Body:
    """One request's body: counts what comes in, and takes in the rest before a response starts.

    A client that is still sending when the server answers and closes sees a reset connection in
    place of the answer; so what is left is read and dropped first, for a bounded time.
    """

    def __init__(self, headers: Headers, receive: Receive, send: Send, sentence: str) -> None:
        length = headers.get("content-length", "")
        self.announced = int(length) if length.isdecimal() and len(length) < 20 else 0
        self.limit: int | None = None
        self._receive = receive
        self._send = send
        self._sentence = sentence
        self._size = 0
        # A client that expects 100-continue has sent nothing yet and will not if refused.
        self._finished = "expect" in headers or not (
            self.announced or "transfer-encoding" in headers
        )

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            self._finished = not message.get("more_body", False)
            if self.limit is not None and self._size > self.limit:
                raise HTTPException(413, self._sentence)
        else:
            self._finished = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._finished:
            await self._drain()
            if not self._finished:
                MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)

    async def _drain(self) -> None:
        self.limit = None
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._finished:
                    await self.receive()
        except TimeoutError:
            pass
