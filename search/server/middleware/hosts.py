"""The server answers requests to its own names only.

Otherwise another site could point its name at this machine (DNS rebinding), and its pages could
read the answers.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from place_search.search.server.problems import WRONG_HOST, problem_response

ANY = "*"
LOCALHOST = "localhost"


class Hosts:
    """ASGI middleware that refuses requests to other names than `names` and this machine's.

    IP addresses are always accepted: DNS rebinding needs a name.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self.app = app
        self.names = {name.lower().rstrip(".") for name in names} | {LOCALHOST}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and not self._is_own_name(Headers(scope=scope).get("host", "")):
            detail = "This server does not go by the name that was asked; add it with "
            response = problem_response(WRONG_HOST, f"{detail}--allowed-hosts.")
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_own_name(self, host: str) -> bool:
        if ANY in self.names:
            return True
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self.names or name.endswith(f".{LOCALHOST}"):
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True
