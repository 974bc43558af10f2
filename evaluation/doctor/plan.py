"""Estimates of the memory, disk space and time that a job needs on this machine."""

import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from place_search.core.memory import available_bytes, resident_bytes
from place_search.core.text import free_bytes, needed_bytes
from place_search.evaluation.descriptors import CHUNK_BYTES
from place_search.evaluation.doctor.diagnosis import Finding
from place_search.evaluation.evaluate import MAX_BLOCK, QUERY_BYTES
from place_search.indexer.storage.plan import shard_photos
from place_search.models import Model

_MEASURED = 6
_COPIES = 3
"""Copies of a shard that are in memory while it is written: its rows, their copy and the file."""
_THUMBNAIL_BYTES = 12_000
_CODES_OVER = 128 << 20
"""Bytes of descriptors beyond which an index keeps one bit a dimension in memory."""


def measure_rate(model: Model) -> float:
    """Photos a second that the model alone embeds, in the size that its card names."""
    random = np.random.default_rng(0)
    views = tuple(
        random.integers(0, 256, (card.height, card.width, 3), dtype=np.uint8)
        for card in model.preprocessings
    )
    for _ in model.stream_all([(0, views)]):
        pass
    start = time.perf_counter()
    count = sum(1 for _ in model.stream_all((row, views) for row in range(_MEASURED)))
    return count / (time.perf_counter() - start)


def search_seconds(places: int, queries: int, dims: int) -> float:
    """Seconds that an exact search takes, extrapolated from a small matrix product."""
    rows = np.ones((512, dims), dtype=np.float32)
    query_rows = np.ones((max(1, min(queries, 512)), dims), dtype=np.float32)
    parts = []
    for _ in range(3):
        start = time.perf_counter()
        query_rows @ rows.T
        parts.append(time.perf_counter() - start)
    return min(parts) * places * queries / (len(rows) * len(query_rows))


def make_plan(model: Model, places: int, queries: int, rate: float, cells: int) -> dict[str, Any]:
    """Bytes that indexing and evaluating need, and bytes available."""
    dims = model.card.dims
    vectors = 4 * dims * places
    coded = places * (dims // 8 + 16)
    features = cells * model.code_bytes + _THUMBNAIL_BYTES
    shard = shard_photos(places, dims) * (4 * dims + features)
    block = min(MAX_BLOCK, max(1, QUERY_BYTES // (4 * dims)), max(1, queries))
    step = max(1, CHUNK_BYTES // (4 * dims))
    resident = resident_bytes()
    scratch = Path(tempfile.gettempdir())
    return {
        "photos": places + queries,
        "dims": dims,
        "photos_per_second": round(rate, 1),
        "memory_bytes": {
            "index": resident + _COPIES * shard + (vectors if vectors <= _CODES_OVER else coded),
            "eval": resident + 4 * dims * (block + 2 * step) + 10 * block * step,
            "available": available_bytes(),
        },
        "disk_bytes": {
            "index": places * (dims + features) + (0 if vectors <= _CODES_OVER else coded),
            "eval": 4 * dims * (places + queries),
            "available": shutil.disk_usage(scratch).free,
            "folder": str(scratch),
        },
    }


def check_plan(plan: Mapping[str, Any]) -> list[Finding]:
    """Findings where this machine lacks memory or disk space."""
    problems = []
    memory, disk = plan["memory_bytes"], plan["disk_bytes"]
    for kind, needs, remedy in (
        ("memory", memory, "close other programs or take a machine with more"),
        ("disk", disk, "make room, or set TMPDIR to a folder on a larger disk"),
    ):
        needed = max(needs["index"], needs["eval"])
        if needed > needs["available"]:
            free_size = free_bytes(needs["available"])
            sizes = f"{needed_bytes(needed)} of {kind} needed, {free_size} free"
            problems.append(Finding(f"not-enough-{kind}", 1, sizes, f"{sizes}: {remedy}."))
    return problems
