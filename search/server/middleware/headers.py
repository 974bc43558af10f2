"""Security headers on every response, and redirects that stay where the client is."""

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Pages of other sites may not show the photos, except those that `--cors` names: they set the
    # attribute `crossorigin`, and browsers then check CORS instead.
    "Cross-Origin-Resource-Policy": "same-origin",
    # No shared cache may keep answers, which name places and positions. With `no-store`, Chromium
    # would hold a connection until the page has read an answer, which it need not.
    "Cache-Control": "private, no-cache",
}


class SecurityHeaders:
    """ASGI middleware that adds the security headers a response does not set itself.

    `images_from` is another origin whose images the pages may show: that of the map's tiles.
    `shared` lets the pages of all other sites show pictures.
    """

    def __init__(
        self, app: ASGIApp, images_from: str | None = None, *, shared: bool = False
    ) -> None:
        self.app = app
        self.headers = dict(SECURITY_HEADERS)
        if shared:
            self.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if images_from is not None:
            policy = self.headers["Content-Security-Policy"]
            self.headers["Content-Security-Policy"] = policy.replace(
                "img-src 'self'", f"img-src 'self' {images_from}"
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                if message["status"] == 307:
                    # Starlette names scheme and host as the server sees them: behind a proxy for
                    # https the client would send photo and key again, in the clear.
                    path = urlsplit(headers["location"])._replace(scheme="", netloc="")
                    headers["location"] = urlunsplit(path)
            await send(message)

        await self.app(scope, receive, send_with_headers)
