"""The index that a request is for.

`/v1/indexes/NAME/…` has the routes of `/v1/…`, and `/indexes/NAME/…` those of `/…` with the pages.
"""

import re
from collections.abc import Mapping

from starlette._utils import get_route_path
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from place_search.search.server.served import ServedIndex

_PAGES = re.compile(r"(/indexes/([^/]+))(/.*)?")
_BELOW = re.compile(r"(/v1/indexes/([^/]+))(?:/v1)?(/.*)?")
LISTING = "/v1/indexes"


class Indexes:
    """ASGI middleware that moves an index's name from a request's path into the scope.

    The name becomes part of the root path, so that addresses in the answers lead to the same index;
    `server_path` is the root path without the name, `asked_path` the path as it was asked for.
    `served` in the scope is the index: the first for a path without a name, None for an unknown
    name.
    """

    def __init__(self, app: ASGIApp, indexes: Mapping[str, ServedIndex]) -> None:
        self.app = app
        self.indexes = indexes
        self.first = next(iter(indexes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            path = get_route_path(scope)
            scope["server_path"] = scope.get("root_path", "")
            scope["asked_path"] = scope["path"]
            name = self.first
            if (match := _PAGES.fullmatch(path)) and match[2] in self.indexes:
                prefix, name, rest = match.groups()
                scope["root_path"] = scope.get("root_path", "") + prefix
                if rest is None:  # a page's own addresses are relative to the folder
                    await RedirectResponse(f"{scope['root_path']}/")(scope, receive, send)
                    return
                path = rest
            scope["index_name"] = None if path == LISTING else name
            if match := _BELOW.fullmatch(path):
                prefix, name, rest = match.groups()
                scope["index_name"] = name
                scope["root_path"] = scope.get("root_path", "") + prefix
                scope["path"] = f"{scope['root_path']}/v1{rest or '/index'}"
            scope["served"] = self.indexes.get(name)
        await self.app(scope, receive, send)
