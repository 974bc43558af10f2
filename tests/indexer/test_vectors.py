"""The FAISS store against brute force, exact and compressed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer import IndexFormatError, exact_search
from indexer.faiss_store import FaissStore, StoreCard, build_store, choose_store

Vectors = NDArray[np.float32]


class MemoryRows:
    """Descriptors in memory; ids have gaps, as where photos were skipped."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors
        self.shape = (len(vectors), vectors.shape[1])
        self.place_ids = np.arange(len(vectors), dtype=np.int64) * 3 + 5

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        return self.vectors[rows]

    def chunks(self, rows: int = 1024) -> Iterator[Vectors]:
        return (self.vectors[start : start + rows] for start in range(0, len(self.vectors), rows))


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    normed = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(normed, np.float32)


def places(count: int, dims: int, *, views: int = 12, seed: int = 0) -> tuple[Vectors, Vectors]:
    """Descriptors of places seen several times, along streets; and queries that see some again."""
    rng = np.random.default_rng(seed)
    streets = rng.standard_normal((count // (views * 8) + 1, dims))
    spots = np.repeat(streets, 8, axis=0) * 0.7 + rng.standard_normal((len(streets) * 8, dims))
    seen = np.repeat(spots, views, axis=0)[:count]
    # A few dimensions carry most of the weight, as in real descriptors.
    weight = rng.gamma(0.5, size=dims) ** 0.5
    database = _unit((seen + 0.8 * rng.standard_normal(seen.shape)) * weight)
    again = rng.choice(count, 60, replace=False)
    queries = _unit((seen[again] + 1.2 * rng.standard_normal((60, dims))) * weight)
    return database, queries


@dataclass(frozen=True)
class Case:
    rows: MemoryRows
    queries: Vectors
    flat: FaissStore
    rabitq: FaissStore


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("stores")
    database, queries = places(4000, 256)
    rows = MemoryRows(database)
    stores = []
    for kind in ("flat", "rabitq"):
        card = StoreCard(kind, 256, candidates=100)
        build_store(card, rows, folder / kind)
        stores.append(FaissStore(folder / kind, card, rows))
    return Case(rows, queries, *stores)


def test_the_choice_is_by_size() -> None:
    assert choose_store(4_681, 7168).kind == "flat"
    assert choose_store(4_682, 7168).kind == "rabitq"
    assert choose_store(60_000, 512).kind == "flat"
    assert choose_store(11, 96, exact_bytes=0).kind == "rabitq"


def test_flat_is_exact(case: Case) -> None:
    ids, similarities = exact_search(case.rows, case.queries, 10)
    for query, wanted, cosines in zip(case.queries, ids, similarities, strict=True):
        hits = case.flat.search(query, 10)
        assert [hit.place_id for hit in hits] == wanted.tolist()
        np.testing.assert_allclose([hit.similarity for hit in hits], cosines, atol=1e-5)


def test_compressed_recall_and_exact_similarities(case: Case) -> None:
    ids, _ = exact_search(case.rows, case.queries, 10)
    found = 0
    for query, wanted in zip(case.queries, ids, strict=True):
        hits = case.rabitq.search(query, 10)
        found += len({hit.place_id for hit in hits} & set(wanted.tolist()))
        rows = [(hit.place_id - 5) // 3 for hit in hits]
        cosines = case.rows.vectors[rows] @ query
        np.testing.assert_allclose([hit.similarity for hit in hits], cosines, atol=1e-6)
        assert (np.diff(cosines) <= 0).all()
    assert found / ids.size >= 0.98


def test_compressed_files_are_small(case: Case, tmp_path: Path) -> None:
    build_store(StoreCard("rabitq", 256), case.rows, tmp_path / "index")

    # 256 bits, two factors, and the id with its place in the table of ids.
    assert (tmp_path / "index").stat().st_size < 4000 * (256 // 8 + 8 + 24)


@settings(max_examples=40, deadline=None)
@given(
    wanted=st.lists(st.integers(-10, 13_000), max_size=300),
    k=st.integers(-1, 40),
    query=st.integers(0, 59),
    kind=st.sampled_from(["flat", "rabitq"]),
)
def test_a_filter_restricts(case: Case, wanted: list[int], k: int, query: int, kind: str) -> None:
    store: FaissStore = getattr(case, kind)
    descriptor = case.queries[query]
    existing = sorted({place_id for place_id in wanted if place_id in case.rows.place_ids})
    rows = [(place_id - 5) // 3 for place_id in existing]
    cosines = case.rows.vectors[rows] @ descriptor
    best = np.lexsort((existing, -cosines))[: max(k, 0)]

    hits = store.search(descriptor, k, only=np.array(wanted, np.int64))

    # With at most 100 candidates wanted from a filter of 300, compressed search may miss some.
    if kind == "flat" or len(existing) <= 100:
        assert [hit.place_id for hit in hits] == [existing[row] for row in best]
    assert {hit.place_id for hit in hits} <= set(existing)


def test_equal_similarities_come_by_id(tmp_path: Path) -> None:
    rows = MemoryRows(np.repeat(_unit(np.ones((1, 32))), 6, axis=0))
    for kind in ("flat", "rabitq"):
        card = StoreCard(kind, 32)
        build_store(card, rows, tmp_path / kind)
        hits = FaissStore(tmp_path / kind, card, rows).search(rows.vectors[0], 10)
        assert [hit.place_id for hit in hits] == rows.place_ids.tolist()
        assert hits[0].similarity == pytest.approx(1)


def test_threads_find_the_same(case: Case) -> None:
    only = case.rows.place_ids[::7]
    for store in (case.flat, case.rabitq):
        one = [store.search(query, 10, only=only) for query in case.queries]
        with ThreadPoolExecutor(8) as pool:
            many = list(pool.map(lambda query: store.search(query, 10, only=only), case.queries))  # noqa: B023
        assert many == one


def test_building_is_deterministic(case: Case, tmp_path: Path) -> None:
    for kind in ("flat", "rabitq"):
        card = StoreCard(kind, 256)
        first = build_store(card, case.rows, tmp_path / "first")
        assert build_store(card, case.rows, tmp_path / "again") == first
        assert first.bytes == (tmp_path / "first").stat().st_size


def test_files_that_are_no_index_of_these_rows(case: Case, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"not an index" * 100)
    card = StoreCard("flat", 256)
    with pytest.raises(IndexFormatError, match="is not a FAISS index"):
        FaissStore(tmp_path / "noise", card, case.rows)
    build_store(card, MemoryRows(case.rows.vectors[:10]), tmp_path / "small")
    with pytest.raises(IndexFormatError, match="does not fit its shards"):
        FaissStore(tmp_path / "small", replace(card), case.rows)
