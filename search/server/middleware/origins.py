"""Pages of other sites may not make the server change or compute anything.

A browser does not let them read the answers, but it does send their requests.
"""

from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from place_search.search.server.problems import CROSS_SITE, problem_response
from place_search.search.server.roles import find_route, is_counted

ANY = "*"
HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})


class Origins:
    """ASGI middleware that refuses work for pages of other sites than `allowed`.

    Work is a request that changes something, or that counts as a search, whatever its method.
    Browsers mark requests from elsewhere with Sec-Fetch-Site; older browsers only send the Origin,
    which is compared with the Host. Other clients send neither. Another port, and another name of
    the same domain, are other sites: their pages may be somebody else's.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], allowed: Iterable[str]) -> None:
        self.app = app
        self.routes = routes
        self.allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and self._is_foreign(scope) and self._is_work(scope):
            detail = "This server does no work for pages of other sites; name the site in --cors."
            await problem_response(CROSS_SITE, detail)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_work(self, scope: Scope) -> bool:
        if scope["method"] not in HARMLESS:
            return True
        route = find_route(self.routes, scope)
        return scope["method"] != "OPTIONS" and route is not None and is_counted(route)

    def _is_foreign(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if ANY in self.allowed or origin in self.allowed:
            return False
        if site is None and origin is not None:
            return origin.partition("://")[2] != headers.get("host")
        return site in ("cross-site", "same-site")
