"""OpenTelemetry traces: a span for each request, with a child span for each stage of its work.

The collector is set by OpenTelemetry's variables, such as `OTEL_EXPORTER_OTLP_ENDPOINT`. Spans
have no photo, query, key or address.
"""

import os
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from place_search.search.errors import ServerError
from place_search.search.server.middleware.request_log import route_of
from place_search.search.server.problems import INTERNAL
from place_search.search.stages import Stages

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

SERVICE = "place-search"
EXPORT_SECONDS = 3.0
"""The time that a server's stop waits for a collector that does not answer, in seconds."""
_METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS")


def open_provider() -> "TracerProvider":
    """A provider that sends spans to a collector by OTLP over HTTP, in a thread of its own.

    Raises:
        ServerError: the extra `trace` is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ServerError(
            "--trace needs OpenTelemetry, which is not installed; run: "
            "pip install 'place-search[trace]'."
        ) from None
    name = os.environ.get("OTEL_SERVICE_NAME", SERVICE)
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=EXPORT_SECONDS)))
    return provider


class Traces:
    """ASGI middleware that makes a request's spans once it is answered.

    The spans continue the client's trace where the request has a `traceparent`.
    """

    def __init__(self, app: ASGIApp, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self.app = app
        self._tracer = provider.get_tracer("place_search")
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_noting_status)
        except Exception:
            status = INTERNAL.status
            raise
        finally:
            self._send_spans(scope, began, status)

    def _send_spans(self, scope: Scope, began: float, status: int) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        # Stages have times of a monotonic clock, spans the time of day.
        offset = time.time_ns() - int(time.perf_counter() * 1e9)
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        route = route_of(scope)
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "http.route": route,
            "place_search.request_id": scope.get("request_id", ""),
        }
        if status:  # 0 where the client disconnected before the answer
            attributes["http.response.status_code"] = status
        if "problem" in scope:
            attributes["place_search.problem"] = scope["problem"]
        span: Span = self._tracer.start_span(
            f"{method} {route}",
            context=self._propagator.extract(dict(Headers(scope=scope))),
            kind=SpanKind.SERVER,
            attributes=attributes,
            start_time=offset + int(began * 1e9),
        )
        stages: Stages | None = scope.get("stages")
        for stage in stages.finished if stages else ():
            start = offset + int(stage.began * 1e9)
            child = self._tracer.start_span(
                stage.name, context=set_span_in_context(span), start_time=start
            )
            child.end(start + int(stage.seconds * 1e9))
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()
