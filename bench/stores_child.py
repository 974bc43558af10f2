"""A measurement of `bench.stores`, in a process of its own; prints its figures as JSON.

python -m bench.stores_child WHAT COUNT DIMS FOLDER STORE [LIKE]

WHAT is build, search, filtered, change, numpy, flat, hnswlib or usearch.
"""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.generated import MODEL, Generated, write_index
from place_search.core.rows import spread_rows
from place_search.indexer import (
    Index,
    add_photos,
    compact_index,
    open_index,
    open_source,
    remove_places,
)
from place_search.indexer.pipeline import StageClock, embed_photos
from place_search.indexer.stores.vectors import exact_search
from place_search.models import Embedding
from place_search.models.model import Views
from place_search.photos import Photo

Vectors = NDArray[np.float32]
PlaceIds = NDArray[np.int64]
QUERIES = 200
FILTERED = 50
"""The number of queries with filters."""
FOLDER = "the first half"
REMAINDERS = ("1 %", "10 %", "60 %", "90 %", FOLDER)
"""The places that filters leave: random shares, and a folder."""
K = 10
RECALL = 0.98
ADDED, REMOVED = 1000, 10_000


def main() -> None:
    """Run the measurement that the arguments name."""
    measurement, count, dims, folder, store, *like = sys.argv[1:]
    generated = Generated(int(count), int(dims), *map(Path, like))
    scratch = Path(folder)
    if measurement == "build":
        figures = build(generated, scratch, store)
    elif measurement == "search":
        figures = search(generated, scratch)
    elif measurement == "filtered":
        figures = filtered(generated, scratch)
    elif measurement == "change":
        figures = change(generated, scratch)
    else:
        figures = compare(measurement, generated, scratch)
    print(json.dumps(figures))


def build(generated: Generated, scratch: Path, store: str) -> dict[str, Any]:
    """Write the index, and the exact neighbours of the queries beside it."""
    seconds = write_index(generated, scratch / "index", store=store)
    index = open_index(scratch / "index")
    size = sum(stamp.bytes for stamp in index.manifest.files.values())
    ids, _ = exact_search(index.descriptors(), generated.queries(QUERIES), K)
    np.save(scratch / "exact.npy", ids)
    return {**seconds, "mb": size / 1e6, "store": index.store_card.explanation}


def search(generated: Generated, scratch: Path) -> dict[str, float]:
    """Open the index and search it."""
    queries = generated.queries(QUERIES)
    gc.collect()
    start = time.perf_counter()
    index = open_index(scratch / "index")
    opened = time.perf_counter() - start
    figures = timed(lambda query: [hit.place_id for hit in index.search(query, K)], queries)
    memory = resident_mb()
    figures |= recall(figures, np.load(scratch / "exact.npy"))
    return {"open": opened, "mb": memory, **figures}


def filtered(generated: Generated, scratch: Path) -> dict[str, float]:
    """Search among some of the places: milliseconds and recall by the share that filters leave."""
    queries = generated.queries(FILTERED)
    index = open_index(scratch / "index")
    figures = {}
    for remainder in REMAINDERS:
        # A folder holds whole streets, and lacks those of half the queries.
        first = np.arange(index.count) < index.count / 2
        by_chance = np.random.default_rng(0).random(index.count)
        is_kept = first if remainder == FOLDER else by_chance < float(remainder.rstrip(" %")) / 100
        exact = _exact_among(index, is_kept, queries)

        def find(query: Vectors, is_kept: NDArray[np.bool_] = is_kept) -> Any:
            only = index.place_ids[np.flatnonzero(is_kept)]
            return [hit.place_id for hit in index.search(query, K, only=only)]

        measured = timed(find, queries)
        figures[f"p50 {remainder}"] = measured["p50"]
        figures[f"recall {remainder}"] = recall(measured, exact)["recall"]
    return figures


def _exact_among(index: Index, is_kept: NDArray[np.bool_], queries: Vectors) -> PlaceIds:
    """The exact neighbours of (Q, D) queries among the places of a mask: (Q, K) place ids."""
    similarities = np.empty((len(queries), 0), np.float32)
    ids = np.empty((len(queries), 0), np.int64)
    start = 0
    for chunk in index.descriptors().chunks():
        rows = np.flatnonzero(is_kept[start : start + len(chunk)])
        chunk_ids = np.tile(index.place_ids[start + rows], (len(queries), 1))
        start += len(chunk)
        similarities = np.concatenate([similarities, queries @ chunk[rows].T], axis=1)
        ids = np.concatenate([ids, chunk_ids], axis=1)
        order = np.argsort(-similarities, axis=1)[:, :K]
        similarities = np.take_along_axis(similarities, order, axis=1)
        ids = np.take_along_axis(ids, order, axis=1)
    return ids


def change(generated: Generated, scratch: Path) -> dict[str, float]:
    """Add a thousand photos, remove ten thousand places, and search again."""
    folder, photos = scratch / "index", scratch / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for number in range(ADDED):
        pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    source = open_source(photos)
    model: Any = _Instant(generated)
    numbered = enumerate(source.photos)
    start = time.perf_counter()
    for _ in embed_photos(numbered, photos, model, StageClock()):
        pass
    embedding = time.perf_counter() - start
    start = time.perf_counter()
    add_photos(folder, source, model)
    added = time.perf_counter() - start - embedding
    removed_ids = spread_rows(generated.count, min(REMOVED, generated.count // 20))
    start = time.perf_counter()
    remove_places(folder, removed_ids.tolist())
    removed = time.perf_counter() - start
    index = open_index(folder)
    queries = generated.queries(QUERIES)
    exact, _ = exact_search(index.descriptors(), queries, K)
    figures = timed(lambda query: [hit.place_id for hit in index.search(query, K)], queries)
    figures |= recall(figures, exact)
    start = time.perf_counter()
    compact_index(folder)
    compacted = time.perf_counter() - start
    return {"add": added, "remove": removed, "compact": compacted, **figures}


class _Instant:
    """A model that takes no time: its descriptors are generated."""

    def __init__(self, generated: Generated) -> None:
        self.fingerprint = MODEL["fingerprint"]
        self.card = SimpleNamespace(id=MODEL["id"])
        self.limit_in_words = ""
        self.verifier = None
        self._vectors = next(Generated(ADDED, generated.dims).shards())[1]

    def read(self, content: bytes) -> Photo:
        return Photo(np.zeros((8, 8, 3), np.uint8), 8, 8, None, ())

    def prepare_all(self, photo: Photo) -> Views:
        return (photo.pixels,)

    def stream_all(self, photos: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, Embedding]]:
        cells = np.zeros((1, 1, 64), np.float32)
        for at, (key, _) in enumerate(photos):
            yield key, Embedding(self._vectors[at % len(self._vectors)], cells)


def compare(engine: str, generated: Generated, scratch: Path) -> dict[str, Any]:
    """Build another engine in memory, and search it at the cheapest setting of enough recall."""
    queries, exact = generated.queries(QUERIES), np.load(scratch / "exact.npy")
    start = time.perf_counter()
    settings = _ENGINES[engine](generated)
    if settings is None:
        return {}
    build_seconds = time.perf_counter() - start
    best: dict[str, Any] = {}
    for setting, find in settings:
        best = timed(find, queries)
        best |= recall(best, exact) | {"setting": setting}
        if best["recall"] >= RECALL:
            break
    gc.collect()
    return {"build": build_seconds, "mb": resident_mb(), **best}


Settings = Iterator[tuple[int, Callable[[Vectors], Any]]]


def _all(generated: Generated) -> Vectors:
    out = np.empty((generated.count, generated.dims), np.float32)
    for number, vectors in generated.shards():
        out[number * generated.per_shard :][: len(vectors)] = vectors
    return out


def _numpy(generated: Generated) -> Settings:
    vectors = _all(generated)

    def find(query: Vectors) -> Any:
        cosines = vectors @ query
        top = np.argpartition(-cosines, K)[:K]
        return top[np.argsort(-cosines[top])]

    return iter([(0, find)])


def _flat(generated: Generated) -> Settings:
    import faiss

    index: Any = faiss.IndexFlatIP(generated.dims)
    for _, vectors in generated.shards():
        index.add(vectors)
    return iter([(0, lambda query: index.search(query[None], K)[1][0])])


def _hnswlib(generated: Generated) -> Settings | None:
    try:
        import hnswlib
    except ImportError:
        return None
    index = hnswlib.Index("ip", generated.dims)
    index.init_index(generated.count, M=16, ef_construction=200)
    for number, vectors in generated.shards():
        first = number * generated.per_shard
        index.add_items(vectors, np.arange(first, first + len(vectors)))
    index.set_num_threads(1)

    def settings() -> Settings:
        for ef in (16, 32, 64, 128, 256, 512):
            index.set_ef(ef)
            yield ef, lambda query: index.knn_query(query[None], K)[0][0]

    return settings()


def _usearch(generated: Generated) -> Settings | None:
    try:
        from usearch import index as usearch
    except ImportError:
        return None
    index: Any = usearch.Index(ndim=generated.dims, metric="ip", dtype="i8", connectivity=16)
    for number, vectors in generated.shards():
        first = number * generated.per_shard
        index.add(np.arange(first, first + len(vectors)), vectors)

    def settings() -> Settings:
        for ef in (16, 32, 64, 128, 256, 512):
            index.expansion_search = ef
            yield ef, lambda query: index.search(query, K, threads=1).keys

    return settings()


_ENGINES = {"numpy": _numpy, "flat": _flat, "hnswlib": _hnswlib, "usearch": _usearch}


def timed(find: Callable[[Vectors], Any], queries: Vectors) -> dict[str, Any]:
    """The median milliseconds of a query, and the results."""
    for query in queries[:20]:
        find(query)
    milliseconds, results = [], []
    for query in queries:
        start = time.perf_counter()
        hits = find(query)
        milliseconds.append(1000 * (time.perf_counter() - start))
        results.append([int(hit) for hit in hits])
    return {"p50": statistics.median(milliseconds), "found": results}


def recall(figures: dict[str, Any], exact: PlaceIds) -> dict[str, float]:
    """The share of the exact neighbours that was found; removes the results from `figures`."""
    results = figures.pop("found")
    hits = sum(len(set(a) & set(b)) for a, b in zip(results, exact.tolist(), strict=True))
    return {"recall": hits / exact.size}


def resident_mb() -> float:
    """The resident memory of this process in MB."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
