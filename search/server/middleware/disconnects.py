"""Requests are cancelled when their client disconnects."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NO_BODY: Message = {"type": "http.request", "body": b"", "more_body": False}
_DISCONNECT: Message = {"type": "http.disconnect"}


class Disconnects:
    """ASGI middleware that cancels a request when its client disconnects.

    A search that still waits then leaves the queue.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        client = _Client(receive, "content-length" in headers or "transfer-encoding" in headers)
        answered = False

        async def send_noting_the_end(message: Message) -> None:
            nonlocal answered
            # After the end of an answer the server sends the same message as for a disconnect.
            answered = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        answer = asyncio.ensure_future(self.app(scope, client.receive, send_noting_the_end))
        watch = asyncio.ensure_future(client.wait_for_disconnect())
        try:
            await asyncio.wait({answer, watch}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            answer.cancel()
            raise
        finally:
            watch.cancel()
        if not answer.done() and not answered:
            answer.cancel()
            with suppress(asyncio.CancelledError):
                await answer
        else:
            await answer


class _Client:
    """The messages of a client: its body for the application, its disconnect for the watch."""

    def __init__(self, receive: Receive, has_body: bool) -> None:
        self.disconnected = asyncio.Event()
        self._receive = receive
        self._sent = asyncio.Event()
        self._pending = not has_body
        if not has_body:
            self._sent.set()

    async def receive(self) -> Message:
        if self._pending:
            self._pending = False
            return _NO_BODY
        if self._sent.is_set():
            await self.disconnected.wait()
            return _DISCONNECT
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.disconnected.set()
            self._sent.set()
        elif not message.get("more_body", False):
            self._sent.set()
        return message

    async def wait_for_disconnect(self) -> None:
        await self._sent.wait()
        while not self.disconnected.is_set():
            if (await self._receive())["type"] == "http.disconnect":
                self.disconnected.set()
