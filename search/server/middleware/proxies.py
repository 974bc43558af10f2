"""The client, the scheme and the path prefix of a request, as a proxy forwards them."""

from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from place_search.search.server.settings import ROOT_PATH


class Proxies:
    """ASGI middleware that uses the X-Forwarded headers of the named `proxies` only.

    Links and addresses in answers begin with `root_path`, or with a proxy's X-Forwarded-Prefix. A
    proxy may forward paths with this prefix or without.
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
            if not f"{path}/".startswith(f"{root_path}/") or self._is_own_path(scope):
                scope["path"] = root_path + path
            # Routes match the path after the root path.
            scope["root_path"] = root_path
        await self.forwarded(scope, receive, send)  # type: ignore[arg-type]

    def _root_path(self, scope: Scope) -> str:
        if (scope.get("client") or ("",))[0] in self.forwarded.trusted_hosts:
            # Each of several proxies in a row adds its own prefix.
            prefixes = ",".join(Headers(scope=scope).getlist("x-forwarded-prefix")).split(",")
            prefix = "".join(part.strip().rstrip("/") for part in prefixes)
            if prefix and ROOT_PATH.fullmatch(prefix):
                return prefix
        return self.root_path

    def _is_own_path(self, scope: Scope) -> bool:
        """Whether a route has this whole path, though it begins like the root path."""
        return any(route.matches(scope)[0] is not Match.NONE for route in self.routes)
