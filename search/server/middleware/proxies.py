"""What a proxy says of a request: who asked, by which scheme, and below which path."""

from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from place_search.search.server.settings import ROOT_PATH


class Proxies:
    """ASGI middleware that believes the X-Forwarded headers of the named `proxies`, no others.

    Links and addresses in answers begin with `root_path`, or with a proxy's X-Forwarded-Prefix. It
    does not matter whether the proxy takes that off an address before it asks.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Sequence[BaseRoute],
        *,
        root_path: str = "",
        proxies: Iterable[str] = (),
    ) -> None:
        self.routes = routes
        self.root_path = root_path
        self.forwarded = ProxyHeadersMiddleware(app, trusted_hosts=list(proxies))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and (root_path := self._root_path(scope)):
            path: str = scope["path"]
            if not f"{path}/".startswith(f"{root_path}/") or self._is_ours(scope):
                scope["path"] = root_path + path
            # Routes are found by what follows the root path.
            scope["root_path"] = root_path
        await self.forwarded(scope, receive, send)  # type: ignore[arg-type]

    def _root_path(self, scope: Scope) -> str:
        if (scope.get("client") or ("",))[0] in self.forwarded.trusted_hosts:
            # Each of several proxies in a row adds its own.
            prefixes = ",".join(Headers(scope=scope).getlist("x-forwarded-prefix")).split(",")
            told = "".join(prefix.strip().rstrip("/") for prefix in prefixes)
            if told and ROOT_PATH.fullmatch(told):
                return told
        return self.root_path

    def _is_ours(self, scope: Scope) -> bool:
        """Whether the whole path is one of ours, though it begins like the root path."""
        return any(route.matches(scope)[0] is not Match.NONE for route in self.routes)
