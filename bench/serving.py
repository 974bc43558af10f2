"""Measures a server of 10,000 places: start to the first answer, searches over HTTP, memory."""

import io
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.generated import Generated, generated_row, write_index
from bench.indexing import status_mb
from bench.photos import ONE_MEGAPIXEL, make_folder
from bench.table import Row
from place_search.core.geodesy import Position
from place_search.indexer.storage.manifest import model_entry
from place_search.indexer.storage.shards import Row as Place
from place_search.models import Model, encode_grid, open_model

PLACES = 10_000
QUERIES = 24
SEARCHES = 60
PATIENCE_S = 60.0
NEAR = 20
SPOT = Position(40.0, -3.7)
WAYS = {
    "unverified": {"verify": "false"},
    "verified": {"verify": "true"},
    f"verified among {NEAR}": {"verify": "true", "near": "40.0,-3.7", "radius_m": "100"},
}


@dataclass
class _Times:
    """Milliseconds of each search of a way, over HTTP and by the stages in the reply."""

    http: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)


def measure(model_id: str, photos: Path, rounds: int) -> list[Row]:
    """Start a server in each round, and search it from one client with 1-MP photos."""
    model = open_model(model_id, precision="auto")
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_folder(photos, QUERIES, Path(scratch) / "queries", ONE_MEGAPIXEL)
        paths = sorted(folder.glob("*.jpg"))
        index = places_index(Path(scratch) / "index", model, paths)
        queries = [path.read_bytes() for path in paths]
        for query in queries[:2]:
            model.embed(model.read(query))
        for _ in range(rounds):
            for name, value in _round(index, model, queries).items():
                figures.setdefault(name, []).append(value)
    rows = [
        Row(name, "s" if "start" in name else "ms", values, GOALS.get(name, ""))
        for name, values in figures.items()
        if "memory" not in name
    ]
    rows += [
        Row(name, "MB", values, GOALS.get(name, ""))
        for name, values in figures.items()
        if "memory" in name
    ]
    own = figures["decode + embed in process, p50"]
    for way in WAYS:
        http = figures[f"search, {way}: HTTP p50"]
        shares = [100 * a / b for a, b in zip(own, http, strict=True)]
        rows.append(Row(f"decode + embed / HTTP p50, {way}", "%", shares, is_compared=True))
    return rows


GOALS = {
    "server, start to the first answer": "≤ 0.8",
    "search, unverified: HTTP p50": "≤ 25",
    "search, verified: HTTP p50": "≤ 50",
    "search, verified: HTTP p95": "≤ 70",
    f"search, verified among {NEAR}: HTTP p50": "≤ 32",
    "server, resident memory": "≤ 450",
}


def _round(index: Path, model: Model, queries: Sequence[bytes]) -> dict[str, float]:
    times = {way: _Times() for way in WAYS}
    own = []
    with running_server(index, queries[0]) as (client, seconds, process):
        for query in queries[:4]:
            for parameters in WAYS.values():
                client.post("/v1/search", params=parameters, files={"photo": query})
        for number in range(SEARCHES):
            query = queries[number % len(queries)]
            for way, parameters in WAYS.items():
                start = time.perf_counter()
                reply = client.post("/v1/search", params=parameters, files={"photo": query})
                times[way].http.append(1000 * (time.perf_counter() - start))
                for stage, value in reply.raise_for_status().json()["timings_ms"].items():
                    times[way].stages.setdefault(stage, []).append(value)
            start = time.perf_counter()
            model.embed(model.read(query))
            own.append(1000 * (time.perf_counter() - start))
        memory = status_mb(process, "VmRSS")
        anonymous = status_mb(process, "RssAnon")
    figures = {
        "server, start to the first answer": seconds,
        "server, resident memory": memory,
        "server, memory without mapped files": anonymous,
        "decode + embed in process, p50": statistics.median(own),
    }
    for way, way_times in times.items():
        for quantile in (50, 95, 99):
            value = float(np.percentile(way_times.http, quantile))
            figures[f"search, {way}: HTTP p{quantile}"] = value
        for stage in ("decode", "embed", "search", "verify"):
            if any(way_times.stages[stage]):
                figures[f"search, {way}: {stage}, p50"] = statistics.median(way_times.stages[stage])
    return figures


def places_index(folder: Path, model: Model, photos: Sequence[Path]) -> Path:
    """An index of PLACES places with generated descriptors, and the photos' codes in turns."""
    embeddings = [model.embed(model.read(path)) for path in photos]
    codes = [encode_grid(embedding) for embedding in embeddings]
    picture = io.BytesIO()
    Image.open(photos[0]).resize((320, 240)).save(picture, "JPEG")

    def row(place_id: int, vector: NDArray[np.float32]) -> Place:
        cells, grid = codes[place_id % len(codes)]
        if place_id < len(embeddings):
            vector = embeddings[place_id].descriptor
        position = SPOT if place_id % (PLACES // NEAR) == 0 else None
        return replace(
            generated_row(place_id, vector),
            position=position,
            codes=cells,
            grid=grid,
            thumbnail=picture.getvalue(),
        )

    entry: dict[str, Any] = model_entry(model)
    write_index(Generated(PLACES, model.card.dims), folder, model=entry, row=row)
    return folder


def serve_command(index: Path) -> tuple[list[str], str]:
    """The command of a server of an index on a free port, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "place_search", "serve", str(index), "--port", str(port)]
    return command, f"http://127.0.0.1:{port}"


@contextmanager
def running_server(index: Path, query: bytes) -> Iterator[tuple[httpx.Client, float, int]]:
    """A server process: a client of it, the seconds to its first answer, and its process id."""
    command, address = serve_command(index)
    # Lets Python keep its compiled modules from the first start on, as in an installation.
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    start = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
                yield client, _seconds_until_answer(client, process, query, start), process.pid
        finally:
            process.terminate()


def _seconds_until_answer(
    client: httpx.Client, process: subprocess.Popen[bytes], query: bytes, start: float
) -> float:
    while process.poll() is None and time.perf_counter() - start < PATIENCE_S:
        try:
            if client.post("/v1/search", files={"photo": query}).status_code == 200:
                return time.perf_counter() - start
        except httpx.TransportError:
            pass
        time.sleep(0.01)
    raise RuntimeError("the server did not answer")
