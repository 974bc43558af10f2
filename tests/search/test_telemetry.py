"""OpenTelemetry: spans of requests and their stages, only where asked for."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from place_search.search.engine import Engine
from place_search.search.errors import ServerError
from place_search.search.server.app import create_app
from place_search.search.server.server import serve
from place_search.search.server.settings import ServerSettings

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(engine: Engine, street: Any) -> list[ReadableSpan]:
    """Of a search, a comparison, an explanation, and of what is refused."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = create_app(engine, traces=provider)

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError

    photo = ("secret-name.jpg", street.query(0))

    async def ask() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            headers = {"traceparent": PARENT, "x-request-id": "me-1"}
            query = {"near": "48.13579,11.5", "radius_m": "90000", "verify": "true"}
            await client.post("/v1/search", params=query, files={"photo": photo}, headers=headers)
            await client.post("/v1/compare", files={"image1": photo, "image2": photo})
            await client.post("/v1/explain", files={"photo": photo})
            await client.post("/v1/search", files={"photo": b"no photo"})
            await client.get("/made/up/1")
            await client.request("BREW", "/livez")
            await client.get("/broken")

    asyncio.run(ask())
    return list(exporter.get_finished_spans())


def requests_of(spans: list[ReadableSpan]) -> list[ReadableSpan]:
    return [span for span in spans if span.attributes]


def stages_of(spans: list[ReadableSpan], request: ReadableSpan) -> list[str]:
    return [
        span.name
        for span in spans
        if span.parent and request.context and span.parent.span_id == request.context.span_id
    ]


def test_a_request_has_a_span_with_its_stages(spans: list[ReadableSpan]) -> None:
    told = [(span.name, stages_of(spans, span)) for span in requests_of(spans)]
    assert told == [
        ("POST /v1/search", ["queue", "decode", "embed", "search", "verify"]),
        ("POST /v1/compare", ["queue", "decode", "decode", "embed", "embed", "verify"]),
        ("POST /v1/explain", ["queue", "decode", "embed"]),
        ("POST /v1/search", ["queue", "decode"]),
        ("GET other", []),
        ("_OTHER /livez", []),
        ("GET /broken", []),
    ]


def test_a_trace_of_the_client_goes_on(spans: list[ReadableSpan]) -> None:
    search, compare, *_ = requests_of(spans)
    assert search.context is not None
    assert f"{search.context.trace_id:032x}" == PARENT.split("-")[1]
    assert search.parent is not None
    assert f"{search.parent.span_id:016x}" == PARENT.split("-")[2]
    assert compare.parent is None


def test_a_span_tells_what_happened_and_nothing_more(spans: list[ReadableSpan]) -> None:
    search, _, _, refused, missing, _, broken = requests_of(spans)
    assert dict(search.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/search",
        "http.response.status_code": 200,
        "place_search.request_id": "me-1",
    }
    assert (refused.attributes or {})["place_search.problem"] == "unsupported-photo"
    assert (missing.attributes or {})["http.response.status_code"] == 404
    assert not broken.status.is_ok
    assert (broken.attributes or {})["http.response.status_code"] == 500
    everything = " ".join(span.to_json() for span in spans)
    for secret in ("secret-name", "48.13579", "127.0.0.1", "made"):
        assert secret not in everything


def test_stages_lie_within_their_request(spans: list[ReadableSpan]) -> None:
    search = requests_of(spans)[0]
    last = search.start_time or 0
    for span in spans[:5]:
        assert span.start_time is not None
        assert span.end_time is not None
        # The two clocks are read a moment apart.
        assert span.start_time >= last - 1_000_000
        last = span.end_time
    assert search.end_time is not None
    assert search.end_time >= last - 1_000_000


class Collector(HTTPServer):
    """Takes what is sent to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Take)
        self.bodies: list[tuple[str, bytes]] = []


class Take(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        length = int(self.headers["content-length"])
        self.server.bodies.append((self.path, self.rfile.read(length)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        return None


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_server_sends_its_traces_to_a_collector(
    start_server: Callable[..., Any],
    index_folder: Path,
    street: Any,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = f"http://127.0.0.1:{collector.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    server = start_server(index_folder, "--trace")
    files = {"photo": ("a", street.query(0))}
    assert httpx.post(f"{server.address}v1/search", files=files).status_code == 200
    assert server.stop() == 0
    ((path, body),) = collector.bodies
    assert path == "/v1/traces"
    for name in (b"place-search", b"POST /v1/search", b"queue", b"decode", b"embed"):
        assert name in body


def test_without_the_extra_it_says_what_to_install(
    index_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ServerError, match=r"pip install 'place-search\[trace\]'"):
        serve(index_folder, ServerSettings(port=0, trace=True))


def test_it_is_off_unless_asked_for(engine: Engine) -> None:
    app = create_app(engine)
    names = [middleware.cls.__name__ for middleware in app.user_middleware]  # type: ignore[attr-defined]
    assert "RequestLog" in names
    assert "Traces" not in names
    # FastAPI's own would tell the query, whoever sets a provider for the process.
    assert not app._native_telemetry.enabled()
