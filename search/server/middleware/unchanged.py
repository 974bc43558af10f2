"""If-None-Match: what a client has already is not sent again (RFC 9110)."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OF_THE_BODY = ("content-type", "content-length", "content-encoding", "accept-ranges")


def is_known(tag: str, if_none_match: str) -> bool:
    """Whether a client that says this has what the ETag is of."""
    # A proxy that compresses makes a tag weak.
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return tag != "" and bool({"*", tag} & known)


class Unchanged:
    """ASGI middleware that answers 304 in place of what its client has, by the answer's ETag."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        asked = Headers(scope=scope).get("if-none-match") if scope["type"] == "http" else None
        if asked is None or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        known = False

        async def send_news(message: Message) -> None:
            nonlocal known
            if message["type"] == "http.response.start" and message["status"] == 200:
                headers = MutableHeaders(scope=message)
                known = is_known(headers.get("etag", ""), asked)
                if known:
                    message["status"] = 304
                    for name in _OF_THE_BODY:
                        del headers[name]
            elif known and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app(scope, receive, send_news)
