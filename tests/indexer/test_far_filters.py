"""Filters of large stores, whether what they leave lies near the query or far away."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from place_search.indexer.stores import faiss_store
from place_search.indexer.stores.kinds import hnsw_sq8, ivf_rabitq
from place_search.indexer.stores.store_card import choose_store
from place_search.indexer.stores.vectors import VectorStore
from tests.indexer.test_vectors import MemoryRows, Vectors

pytestmark = pytest.mark.slow

STREETS, EACH, DIMS = 60, 400, 256
PLACES = STREETS * EACH


def unit(vectors: NDArray[np.float64]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def streets() -> Vectors:
    return np.asarray(np.random.default_rng(0).standard_normal((STREETS, DIMS)), np.float32)


@pytest.fixture(scope="module")
def rows(streets: Vectors) -> MemoryRows:
    noise = np.random.default_rng(1).standard_normal((PLACES, DIMS))
    return MemoryRows(unit(np.repeat(streets, EACH, axis=0) + 0.7 * noise))


@pytest.fixture(scope="module", params=["ivf-rabitq", "hnsw-sq8"])
def store(
    request: pytest.FixtureRequest, rows: MemoryRows, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VectorStore]:
    builder = {"ivf-rabitq": ivf_rabitq, "hnsw-sq8": hnsw_sq8}[request.param].BUILDER
    path = tmp_path_factory.mktemp("store") / "index.faiss"
    card, _ = builder.build(choose_store(PLACES, DIMS, requested=request.param), rows, path)
    # As it comes out for a million places, where a list, and what a graph sees, is less of all.
    few = replace(card, probes=card.lists // 16, candidates=50)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "hnsw-sq8":
            patch.setattr(faiss_store, "FILTERED_CANDIDATES", 500)
        yield builder.open(few, path, rows)


@pytest.fixture
def recall_of(streets: Vectors, rows: MemoryRows, store: VectorStore) -> Callable[..., float]:
    """The share of the ten nearest that is found among some rows, by queries of some streets."""

    def share(fits: NDArray[np.bool_], part: slice) -> float:
        noise = np.random.default_rng(2).standard_normal((STREETS, DIMS))
        queries = unit(streets + 0.7 * noise)[part]
        cosines = np.where(fits, queries @ rows.vectors.T, -1)
        nearest = rows.place_ids[np.argpartition(cosines, -10, axis=1)[:, -10:]]
        count = 0
        for query, ids in zip(queries, nearest.tolist(), strict=True):
            hits = store.search(query, 10, only=rows.place_ids[fits])
            count += len({hit.place_id for hit in hits} & set(ids))
        return count / (10 * len(queries))

    return share


@pytest.mark.parametrize("share", [0.1, 0.45, 0.55, 0.75, 0.95])
def test_a_filter_by_chance(recall_of: Callable[..., float], share: float) -> None:
    fits = np.random.default_rng(3).random(PLACES) < share
    assert recall_of(fits, slice(None)) >= 0.98


@pytest.mark.parametrize("streets_left", [6, 24, 40])
def test_a_filter_of_whole_streets(recall_of: Callable[..., float], streets_left: int) -> None:
    fits = np.repeat(np.arange(STREETS) < streets_left, EACH)
    assert recall_of(fits, slice(streets_left)) >= 0.98, "the query's own street is left"
    assert recall_of(fits, slice(streets_left, None)) >= 0.7, (
        "others alone are left, all of them far"
    )


def test_a_filter_that_leaves_a_part_of_some_streets(recall_of: Callable[..., float]) -> None:
    fits = np.repeat(np.arange(STREETS) < 30, EACH) & (np.arange(PLACES) % 3 > 0)
    assert recall_of(fits, slice(30)) >= 0.98
    assert recall_of(fits, slice(30, None)) >= 0.7
