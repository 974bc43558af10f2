"""Each request is counted and, with `--log`, written as one line of JSON."""

import logging
import re
import secrets
import time
import traceback
from ipaddress import ip_network

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from place_search.search.server.clients import client_address
from place_search.search.server.log import json_line
from place_search.search.server.metrics import Metrics
from place_search.search.server.middleware.headers import SECURITY_HEADERS
from place_search.search.server.problems import FAILED, INTERNAL, problem_response

log = logging.getLogger("place_search.requests")
failures = logging.getLogger("place_search.failures")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
OTHER = "other"


class RequestLog:
    """ASGI middleware: a request id, the counters, and a line in the log.

    The line has no photo, query or key; of the client's address it has only the network, unless
    `addresses` is set.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, *, write: bool = False, addresses: bool = False
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.write = write
        self.addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent_id = Headers(scope=scope).get("x-request-id", "")
        request_id = sent_id if _REQUEST_ID.fullmatch(sent_id) else secrets.token_hex(8)
        scope["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            _log_failure(request_id, scope, error)
            under_way, status = bool(status), INTERNAL.status
            scope["problem"] = INTERNAL.name
            if under_way:
                raise  # the answer has begun, so only closing the connection shows the failure
            response = problem_response(INTERNAL, FAILED, headers=SECURITY_HEADERS)
            await response(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = route_of(scope)
            problem = scope.get("problem")
            self.metrics.answered(route, status, seconds, problem)
            if self.write:
                self._write_line(scope, request_id, route, status, seconds)

    def _write_line(
        self, scope: Scope, request_id: str, route: str, status: int, seconds: float
    ) -> None:
        client = scope.get("client")
        line = json_line(
            request_id=request_id,
            client=client and (client[0] if self.addresses else network(client[0])),
            key=scope.get("key"),
            method=scope["method"],
            route=route,
            status=status or None,  # none for a client that disconnected before the answer
            problem=scope.get("problem"),
            ms=round(seconds * 1000, 1),
            stages_ms=scope["stages"].milliseconds() if "stages" in scope else None,
        )
        log.info(line)


def _log_failure(request_id: str, scope: Scope, error: Exception) -> None:
    """Log a failure of the server with its traceback, even where requests are not logged."""
    trace = "".join(traceback.format_exception(error))
    line = json_line(event="failed", request_id=request_id, route=route_of(scope), traceback=trace)
    failures.error(line)


def route_of(scope: Scope) -> str:
    """The pattern of a request's route, or "other" where there is none."""
    route = scope.get("route")
    return getattr(route, "path", OTHER)


def network(address: str) -> str:
    """The network of an address: /24 of IPv4, /48 of IPv6; "" for text that is no address."""
    try:
        host = client_address(address)
        return str(ip_network(f"{host}/{24 if host.version == 4 else 48}", strict=False))
    except ValueError:
        return ""
