"""API keys, and the rate of requests of each client."""

import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from place_search.search.server.clients import client_of
from place_search.search.server.keys import ApiKey, KeyRing
from place_search.search.server.problems import (
    FORBIDDEN,
    RATE_LIMITED,
    UNAUTHORIZED,
    ProblemResponse,
    problem_response,
)
from place_search.search.server.roles import access_of, find_route, is_counted

BEARER = 'Bearer realm="place-search"'
BASIC = 'Basic realm="place-search", charset="UTF-8"'
MAX_CLIENTS = 10_000


class ApiKeyMiddleware:
    """ASGI middleware that requires API keys and bounds the rate of searches.

    Each of the `routes` declares the role that it needs, and whether it is counted: see
    `search.server.roles`. A key is sent as `Authorization: Bearer`, as `X-API-Key` or, for reading
    only, as the password that a browser asks for. With `public` reading needs no key. `rate` is
    the number of counted requests that a key or address may send in a minute, 0 for no bound.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Sequence[BaseRoute],
        keys: KeyRing | Sequence[ApiKey] = (),
        *,
        public: bool = False,
        rate: int = 0,
    ) -> None:
        self.app = app
        self.routes = routes
        self.keys = keys if isinstance(keys, KeyRing) else KeyRing(keys)
        self.public = public
        self.rate = TokenBuckets(rate) if rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        # A request is refused before any of its body is read.
        refused = self._refusal(scope) if scope["type"] == "http" else None
        if self.keys.required:
            send = _for_this_key(send)
        await (self.app if refused is None else refused)(scope, receive, send)

    def _refusal(self, scope: Scope) -> ProblemResponse | None:
        route = find_route(self.routes, scope)
        access = access_of(route) if route else "open"
        if route is None or access == "open":
            scope["may_read"] = self._may_read(scope)
            return None
        scope["route"] = route  # for the log and the metrics, if the request is refused
        writes = access != "read"
        key = None
        scope["may_write"] = not self.keys.required
        # The index that the key is for, and the only index that it may read; "" for all.
        scope["key_index"] = scope["only_index"] = ""
        if self.keys.required:
            headers = Headers(scope=scope)
            secret, by_browser = _sent_key(headers)
            key = self.keys.find(secret) if secret else None
            if key is None and (writes or secret or not self.public):
                problem = (
                    "This API key is not known; check it, and"
                    if secret
                    else "This needs an API key;"
                )
                # A browser asks for a password when it opens a page, not for a page's requests.
                challenge = BASIC if "text/html" in headers.get("accept", "") else BEARER
                return problem_response(
                    UNAUTHORIZED,
                    f"{problem} type it on the page, or send it as Authorization: Bearer KEY.",
                    headers={"WWW-Authenticate": challenge},
                )
            if writes and (by_browser or (key and key.role != "write")):
                return problem_response(
                    FORBIDDEN,
                    "Changing the index needs a key with the role write, sent as Authorization: "
                    "Bearer KEY.",
                )
            scope["may_write"] = key is not None and key.role == "write" and not by_browser
            scope["key"] = key and key.name
            scope["key_index"] = key.index if key else ""
            # On a public server a key for another index does not prevent reading.
            only = "" if self.public and not writes else scope["key_index"]
            scope["only_index"] = only
            if only and scope.get("index_name") not in (None, only):
                return problem_response(
                    FORBIDDEN,
                    f"This API key is for the index {only} only; ask below /v1/indexes/{only}.",
                )
        if self.rate is not None and is_counted(route):
            wait = self.rate.take(client_of(scope))
            if wait:
                detail = f"You have sent too many requests; try again in {wait} s."
                return problem_response(RATE_LIMITED, detail, headers={"Retry-After": str(wait)})
        return None

    def _may_read(self, scope: Scope) -> bool:
        """Whether the client of an open route may also read the index of the request."""
        if not self.keys.required or self.public:
            return True
        secret, _ = _sent_key(Headers(scope=scope))
        key = self.keys.find(secret) if secret else None
        return key is not None and key.index in ("", scope["index_name"])


def _for_this_key(send: Send) -> Send:
    """Keep caches, a browser's too, from giving an answer to a client with another key or none."""

    async def send_varying(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).add_vary_header("Authorization, X-API-Key")
        await send(message)

    return send_varying


def _sent_key(headers: Headers) -> tuple[str, bool]:
    """The key that a request sends, and whether a browser may have added it by itself."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip(), False
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2], True
        except (binascii.Error, UnicodeDecodeError):
            return value, True
    return headers.get("x-api-key", ""), False


class TokenBuckets:
    """A bucket of tokens for each client: `per_minute` at once, refilled within a minute."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, now: float | None = None) -> int:
        """Take a token: 0, or the seconds until the next token is free."""
        now = time.monotonic() if now is None else now
        tokens, last_time = self._buckets.pop(client, (float(self.per_minute), now))
        tokens = min(float(self.per_minute), tokens + (now - last_time) * self.per_minute / 60)
        remaining = tokens - 1 if tokens >= 1 else tokens
        self._buckets[client] = remaining, now
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return 0 if tokens >= 1 else int((1 - tokens) * 60 / self.per_minute) + 1
