"""If-None-Match: what a client has already is not sent again (RFC 9110)."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from place_search.search.server.content.matching import is_named

_BODY_HEADERS = ("content-type", "content-length", "content-encoding", "accept-ranges")


class Unchanged:
    """ASGI middleware that answers 304 in place of what its client has, by the answer's ETag."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        is_http = scope["type"] == "http"
        if_none_match = Headers(scope=scope).get("if-none-match") if is_http else None
        if if_none_match is None or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        is_unchanged = False

        async def send_changed(message: Message) -> None:
            nonlocal is_unchanged
            if message["type"] == "http.response.start" and message["status"] == 200:
                headers = MutableHeaders(scope=message)
                is_unchanged = "etag" in headers and is_named(headers["etag"], if_none_match)
                if is_unchanged:
                    message["status"] = 304
                    for name in _BODY_HEADERS:
                        del headers[name]
            elif is_unchanged and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app(scope, receive, send_changed)
