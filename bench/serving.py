"""The server: from its start until it is ready, and a search over HTTP beside its own parts."""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.table import Row
from indexer import build_index, open_source
from netvlad import Model, open_model

SEARCHES = 40
PATIENCE_S = 60.0


def measure(model_id: str, photos: Path, rounds: int) -> list[Row]:
    """Start a server on an index of `photos` once a round, and search it from one client."""
    ready, over_http, in_process = [], [], []
    source = open_source(photos)
    queries = [photo.path.read_bytes() for photo in source.photos]
    with tempfile.TemporaryDirectory() as scratch:
        index = Path(scratch) / "index"
        build_index(source, index, open_model(model_id, mode="throughput"))
        model = open_model(model_id)
        for query in queries:  # compile for each shape
            model.embed(model.read(query))
        for _ in range(rounds):
            with running_server(index) as (client, seconds):
                ready.append(seconds)
                http, own = _searches(client, model, queries)
                over_http.append(http)
                in_process.append(own)
    extra = [http - own for http, own in zip(over_http, in_process, strict=True)]
    return [
        Row("server, start to /readyz 200", "s", ready, "≤ 3"),
        Row("search over HTTP, p50", "ms", over_http),
        Row("decode + embed in process, p50", "ms", in_process),
        Row("HTTP p50 − decode + embed p50", "ms", extra, "≤ 5"),
    ]


def _searches(client: httpx.Client, model: Model, queries: list[bytes]) -> tuple[float, float]:
    """Median ms of a search over HTTP and of decode + embed here, in turns on the same photos."""
    http, own = [], []
    for query in queries:  # the server compiles for each shape
        client.post("/v1/search", files={"photo": query}).raise_for_status()
    for number in range(SEARCHES):
        query = queries[number % len(queries)]
        start = time.perf_counter()
        client.post("/v1/search", files={"photo": query}).raise_for_status()
        middle = time.perf_counter()
        model.embed(model.read(query))
        http.append(1000 * (middle - start))
        own.append(1000 * (time.perf_counter() - middle))
    return statistics.median(http), statistics.median(own)


@contextmanager
def running_server(index: Path) -> Iterator[tuple[httpx.Client, float]]:
    """A server process, a client of it, and the seconds it took to become ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "place_search.cli", "serve", str(index), "--port", str(port)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
                yield client, _seconds_until_ready(client, process, start)
        finally:
            process.terminate()


def _seconds_until_ready(
    client: httpx.Client, process: subprocess.Popen[bytes], start: float
) -> float:
    while process.poll() is None and time.perf_counter() - start < PATIENCE_S:
        try:
            if client.get("/readyz").status_code == 200:
                return time.perf_counter() - start
        except httpx.TransportError:
            pass
        time.sleep(0.01)
    raise RuntimeError("the server did not become ready")
