"""The contract of vector stores, for every kind, against brute force."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from place_search.core.files import FileStamp
from place_search.core.geodesy import Box
from place_search.indexer import IndexFormatError, StoreCard, VectorStore
from place_search.indexer.storage.manifest import FAISS_KINDS
from place_search.indexer.stores.kinds import exact, hnsw_sq8, ivf_rabitq, rabitq
from place_search.indexer.stores.milvus_builder import MilvusBuilder
from place_search.indexer.stores.store_card import choose_store
from place_search.indexer.stores.vectors import StoreBuilder

Vectors = NDArray[np.float32]
FAISS: tuple[StoreBuilder, ...] = (
    exact.BUILDER,
    rabitq.BUILDER,
    ivf_rabitq.BUILDER,
    hnsw_sq8.BUILDER,
)
FLAT: StoreBuilder = MilvusBuilder()
GRAPH: StoreBuilder = MilvusBuilder(exact_bytes=0)
SERVER = pytest.mark.milvus_server
CASES = [
    *((kind, builder, False) for kind, builder in zip(FAISS_KINDS, FAISS, strict=True)),
    pytest.param(("milvus", FLAT, False), id="milvus-lite"),
    pytest.param(("milvus", GRAPH, False), id="milvus-lite-graph"),
    pytest.param(("milvus", FLAT, True), id="milvus-server", marks=SERVER),
    pytest.param(("milvus", GRAPH, True), id="milvus-server-graph", marks=SERVER),
]


class MemoryRows:
    """Descriptors in memory; ids have gaps, as where photos were skipped."""

    def __init__(self, vectors: Vectors, place_ids: NDArray[np.int64] | None = None) -> None:
        self.vectors = vectors
        self.shape = (len(vectors), vectors.shape[1])
        self.place_ids = (
            np.arange(len(vectors), dtype=np.int64) * 3 + 5 if place_ids is None else place_ids
        )

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        return self.vectors[rows]

    def chunks(self, rows: int = 1024, *, start: int = 0) -> Iterator[Vectors]:
        last = len(self.vectors)
        return (self.vectors[at : at + rows] for at in range(start, last, rows))

    def stored_chunks(self, rows: int = 1024, *, start: int = 0) -> Iterator[Vectors]:
        return self.chunks(rows, start=start)

    def column(self, key: str, *, start: int = 0) -> NDArray[Any]:
        """Along a street to the north; every tenth has no position."""
        ids = self.place_ids[start:]
        if key == "name":
            return np.strings.encode(np.char.add("p", ids.astype(str)))
        degrees = 40 + ids / 1000 if key == "latitude" else np.full(len(ids), 8.0)
        return np.where(ids % 10 == 0, np.nan, degrees)

    def only(self, chosen: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "MemoryRows":
        return MemoryRows(self.vectors[chosen], self.place_ids[chosen])


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


def exact_neighbours(
    rows: MemoryRows, query: Vectors, k: int, only: NDArray[np.int64] | None = None
) -> list[tuple[int, float]]:
    """What an exact search finds."""
    is_allowed = np.arange(len(rows.vectors)) if only is None else np.isin(rows.place_ids, only)
    ids, cosines = rows.place_ids[is_allowed], rows.vectors[is_allowed] @ query
    order = np.lexsort((ids, -cosines))[: max(k, 0)]
    return [(int(ids[row]), float(cosines[row])) for row in order]


@dataclass(frozen=True)
class Case:
    """One kind of store: its file, its card, and the rows it was built of."""

    engine: StoreBuilder
    card: StoreCard
    path: Path
    rows: MemoryRows
    queries: Vectors

    def store(self, rows: MemoryRows | None = None) -> VectorStore:
        return self.engine.open(self.card, self.path, rows or self.rows)


@pytest.fixture(scope="module", params=CASES, ids=lambda param: param[0])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Every kind, built of the same 3,000 places; there are 60 more that come later."""
    database, queries = places(3060, 128)
    rows = MemoryRows(database[:3000])
    kind, engine, served = request.param
    path = tmp_path_factory.mktemp("store") / f"index.{'milvus' if kind == 'milvus' else 'faiss'}"
    uri = str(path.with_name("lite.db"))
    if served:
        uri = request.getfixturevalue("milvus_server").uri
    card, _ = engine.build(choose_store(3000, 128, requested=kind, uri=uri), rows, path)
    return Case(engine, card, path, MemoryRows(database), queries)


@pytest.fixture(scope="module")
def indexed_rows(case: Case) -> MemoryRows:
    """The rows that are in the file."""
    return case.rows.only(slice(0, 3000))


def recall(store: VectorStore, rows: MemoryRows, queries: Vectors) -> float:
    """Recall@10 against exact search; checks what holds of every reply on the way."""
    found_count = 0
    for query in queries:
        hits = store.search(query, 10)
        assert len(hits) == 10
        at = np.searchsorted(rows.place_ids, [hit.place_id for hit in hits])
        assert rows.place_ids[at].tolist() == [hit.place_id for hit in hits]
        cosines = rows.vectors[at] @ query
        np.testing.assert_allclose([hit.similarity for hit in hits], cosines, atol=1e-5)
        assert (np.diff(cosines) <= 1e-6).all()
        found_count += len(
            {hit.place_id for hit in hits} & {i for i, _ in exact_neighbours(rows, query, 10)}
        )
    return found_count / (10 * len(queries))


def test_the_choice_is_by_size() -> None:
    assert choose_store(4_681, 7168).kind == "exact"
    assert choose_store(4_682, 7168).kind == "rabitq"
    assert choose_store(60_000, 512).kind == "exact"
    assert choose_store(250_000, 512).kind == "rabitq"
    assert choose_store(11, 96, exact_bytes=0).kind == "rabitq"
    large = choose_store(1_000_000, 512)
    assert (large.kind, large.lists) == ("ivf-rabitq", 1024)
    assert choose_store(1_000_000, 512, requested="exact").kind == "exact"
    assert large.explanation == (
        "ivf-rabitq: 1000000 × 512 numbers take 64 MB even as one-bit codes, so lists of them "
        "are probed"
    )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_places_have_no_more_lists_than_places(count: int) -> None:
    card = choose_store(count, 64, requested="ivf-rabitq")
    assert 1 <= card.lists <= count


def test_lists_of_a_few_places_are_made_without_a_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """FAISS writes it to the terminal, past all that Python prints."""
    rows = MemoryRows(_unit(np.random.default_rng(0).standard_normal((29, 64))))
    card = choose_store(29, 64, requested="ivf-rabitq")
    assert card.lists == 2
    ivf_rabitq.BUILDER.build(card, rows, tmp_path / "index.faiss")
    assert capfd.readouterr() == ("", "")


def test_recall_is_measured_and_reached(case: Case, indexed_rows: MemoryRows) -> None:
    assert case.card.recall_at_10 is not None
    assert case.card.recall_at_10 >= 0.98
    assert recall(case.store(indexed_rows), indexed_rows, case.queries) >= (
        1 if case.card.kind == "exact" else 0.97
    )


def test_compressed_files_are_small(case: Case) -> None:
    if case.card.kind == "exact":
        assert not case.path.exists()
        return
    # Numbers of the descriptor; links of the graph; ids with their place in a table.
    size = {"rabitq": 128 // 8 + 8, "ivf-rabitq": 128 // 8 + 64}
    bound = size.get(case.card.kind, 128 + 4 * 66) + 40
    assert case.path.stat().st_size < 3000 * bound


def test_rows_that_came_later_are_found(case: Case) -> None:
    store = case.store()
    for row in range(2990, 3060):
        assert store.search(case.rows.vectors[row], 1)[0].place_id == case.rows.place_ids[row]
    assert recall(store, case.rows, case.queries) >= 0.97
    late = case.rows.place_ids[2995:]
    hits = store.search(case.queries[0], 100, only=late)
    assert [hit.place_id for hit in hits] == [
        place for place, _ in exact_neighbours(case.rows, case.queries[0], 100, late)
    ]


def test_rows_that_are_removed_are_never_found(case: Case) -> None:
    """Also where the nearest hundreds are removed, so that the file holds little else nearby."""
    for query in case.queries[:5]:
        near = {place for place, _ in exact_neighbours(case.rows, query, 400)}
        rest = case.rows.only(~np.isin(case.rows.place_ids, list(near)))
        store = case.store(rest)
        hits = store.search(query, 20)
        assert len(hits) == 20
        assert not near & {hit.place_id for hit in hits}
    few = case.rows.only(np.array([5, 700, 2999, 3050]))
    assert len(case.store(few).search(case.queries[0], 10)) == 4
    assert recall(case.store(rest), rest, case.queries[:20]) >= 0.9


def _written(stamp: FileStamp | None, path: Path) -> bool:
    """Whether a stamp is that of a file; the exact store has neither."""
    return not path.exists() if stamp is None else stamp.bytes == path.stat().st_size


def test_an_update_takes_up_all_changes(case: Case, tmp_path: Path) -> None:
    rest = case.rows.only(np.arange(3060) % 10 != 0)
    card, stamp = case.engine.update(case.card, case.path, rest, tmp_path / "next")
    assert (card.kind, card.max_place_id) == (case.card.kind, 5 + 3 * 3059)
    # A collection keeps what was removed, for readers of the version before, until it is much.
    assert card.count == (3054 if card.kind == "milvus" else 2754)
    if card.kind == "milvus":
        half = case.rows.only(np.arange(3060) % 2 == 0)
        anew, _ = case.engine.update(card, tmp_path / "next", half, tmp_path / "anew")
        assert anew.count == 1530
    assert _written(stamp, tmp_path / "next")
    store = case.engine.open(card, tmp_path / "next", rest)
    assert store.verify() == []
    assert recall(store, rest, case.queries) >= 0.97
    emptied = rest.only(slice(0, 100))
    assert (
        len(case.engine.open(card, tmp_path / "next", emptied).search(case.queries[0], 200)) == 100
    )


@settings(max_examples=25, deadline=None)
@given(
    chosen=st.lists(st.integers(-10, 10_000), max_size=300),
    k=st.integers(-1, 40),
    query=st.integers(0, 59),
)
def test_a_filter_restricts(case: Case, chosen: list[int], k: int, query: int) -> None:
    only = np.array(chosen, np.int64)
    expected = exact_neighbours(case.rows, case.queries[query], k, only)

    hits = case.store().search(case.queries[query], k, only=only)

    assert len(hits) == len(expected)
    assert {hit.place_id for hit in hits} <= set(chosen)
    # Only as many as the candidates are sure to be compared exactly.
    if case.card.kind == "exact" or len(set(chosen)) <= case.card.candidates:
        assert [hit.place_id for hit in hits] == [place for place, _ in expected]


def test_equal_similarities_come_by_id(case: Case, tmp_path: Path) -> None:
    rows = MemoryRows(np.repeat(_unit(np.ones((1, 128))), 50, axis=0))
    card = replace(case.card, lists=min(case.card.lists, 1))
    card, _ = case.engine.build(card, rows, tmp_path / "i")
    hits = case.engine.open(card, tmp_path / "i", rows).search(rows.vectors[0], 60)
    assert [hit.place_id for hit in hits] == rows.place_ids.tolist()
    assert hits[0].similarity == pytest.approx(1)


def test_a_box_helps_and_changes_nothing(case: Case) -> None:
    latitudes = case.rows.column("latitude")
    within = case.rows.place_ids[(latitudes >= 42) & (latitudes <= 45)]
    box = Box(42, 7.9, 45, 8.1)
    found_count = 0
    for query in case.queries[:10]:
        hits = case.store().search(query, 10, only=within, box=box)
        expected = [place for place, _ in exact_neighbours(case.rows, query, 10, within)]
        found_count += len({hit.place_id for hit in hits} & set(expected))
        if case.card.kind == "exact":
            assert [hit.place_id for hit in hits] == expected
        assert {hit.place_id for hit in hits} <= set(within.tolist())
        assert len(hits) == 10
    if case.card.kind == "milvus":  # a graph's links depend on how its threads took turns
        assert found_count >= 95


def test_threads_find_the_same(case: Case) -> None:
    store, only = case.store(), case.rows.place_ids[::7]
    serial = [store.search(query, 10, only=only) for query in case.queries]
    with ThreadPoolExecutor(8) as pool:
        parallel = list(pool.map(lambda query: store.search(query, 10, only=only), case.queries))
    if case.card.kind == "milvus":  # which may still be linking its graph
        shared = sum(len(set(a) & set(b)) for a, b in zip(parallel, serial, strict=True))
        assert shared >= 0.95 * sum(map(len, serial))
    else:
        assert parallel == serial


def test_building_is_deterministic(case: Case, indexed_rows: MemoryRows, tmp_path: Path) -> None:
    if case.card.kind == "hnsw-sq8":
        pytest.skip("threads link the graph in the order in which they come")
    if case.card.kind == "milvus":
        pytest.skip("each build makes a collection of its own")
    card = replace(case.card, probes=0, recall_at_10=None)
    first = case.engine.build(card, indexed_rows, tmp_path / "first")
    assert case.engine.build(card, indexed_rows, tmp_path / "again") == first
    assert _written(first[1], tmp_path / "first")


def test_verify_notices_a_store_of_other_rows(case: Case, indexed_rows: MemoryRows) -> None:
    assert case.store(indexed_rows).verify() == []
    assert case.store().verify() == []
    if case.card.kind == "exact":
        return  # it has none but the rows
    others = MemoryRows(places(3000, 128, seed=1)[0])
    assert any(
        "does not find" in problem or "vectors" in problem
        for problem in case.store(others).verify()
    )
    shifted = MemoryRows(indexed_rows.vectors, indexed_rows.place_ids - 1)
    assert "it lacks 3000 places of the shards" in case.store(shifted).verify()


def test_files_that_are_no_index_of_these_rows(case: Case, tmp_path: Path) -> None:
    if case.card.kind == "exact":
        pytest.skip("it reads no file")
    (tmp_path / "noise").write_bytes(b"not an index" * 100)
    with pytest.raises(IndexFormatError, match=r"is not a FAISS index|names no Milvus collection"):
        case.engine.open(case.card, tmp_path / "noise", case.rows)
    with pytest.raises(IndexFormatError, match="does not fit its shards"):
        case.engine.open(replace(case.card, count=10), case.path, case.rows)


def test_a_card_is_read_back_whatever_its_version() -> None:
    card = choose_store(10, 96)
    assert StoreCard.read(card.to_json(), places=10, next_place_id=12) == card
    old = StoreCard.read(
        {"kind": "flat", "dims": 96, "candidates": 200}, places=9, next_place_id=12
    )
    assert (old.kind, old.count, old.max_place_id) == ("exact", 9, 11)
    with pytest.raises(IndexFormatError, match="store 'tree' that is not known here"):
        StoreCard.read({"kind": "tree", "through": 0}, places=1, next_place_id=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rabitq", "ivf-rabitq"])
def test_a_filter_finds_the_nearest_where_few_numbers_weigh_most(kind: str, tmp_path: Path) -> None:
    """None is near the query, so that codes must tell hardly nearer ones from all others."""
    rng = np.random.default_rng(0)
    weight = rng.gamma(0.5, size=300) ** 0.5
    rows = MemoryRows(_unit(rng.standard_normal((24_000, 300)) * weight))
    queries = _unit(rng.standard_normal((40, 300)) * weight)
    only = rows.place_ids[rng.random(24_000) < 0.4]
    engine = FAISS[FAISS_KINDS.index(kind)]
    path = tmp_path / "index.faiss"
    card, _ = engine.build(choose_store(24_000, 300, requested=kind), rows, path)
    store = engine.open(card, path, rows)
    found_count = 0
    for query in queries:
        ids = {hit.place_id for hit in store.search(query, 10, only=only)}
        found_count += len(ids & {place for place, _ in exact_neighbours(rows, query, 10, only)})
    assert found_count >= 0.99 * 10 * len(queries)


def test_codes_that_are_not_rotated_are_read_and_replaced(tmp_path: Path) -> None:
    """As versions before wrote them."""
    database, queries = places(1060, 128)
    rows = MemoryRows(database)
    old_rows = rows.only(slice(0, 1000))
    codes: Any = faiss.IndexRaBitQ(128, faiss.METRIC_INNER_PRODUCT)
    codes.train(database[:1000])
    old: Any = faiss.IndexIDMap2(codes)
    old.add_with_ids(old_rows.vectors, old_rows.place_ids)
    faiss.write_index(old, str(tmp_path / "old"))
    card = choose_store(1000, 128, requested="rabitq").built_of(old_rows.place_ids)
    store = rabitq.BUILDER.open(card, tmp_path / "old", rows)
    assert store.verify() == []
    assert recall(store, rows, queries) >= 0.97
    card, _ = rabitq.BUILDER.update(card, tmp_path / "old", rows, tmp_path / "new")
    assert isinstance(faiss.read_index(str(tmp_path / "new")), faiss.IndexPreTransform)
    assert recall(rabitq.BUILDER.open(card, tmp_path / "new", rows), rows, queries) >= 0.97
