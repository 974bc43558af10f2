"""Filters of a store with lists, whether what they leave lies near the query or far away."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from place_search.indexer.stores.kinds import ivf_rabitq
from place_search.indexer.stores.store_card import choose_store
from place_search.indexer.stores.vectors import VectorStore
from tests.indexer.test_vectors import MemoryRows, Vectors, wanted

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


@pytest.fixture(scope="module")
def store(rows: MemoryRows, tmp_path_factory: pytest.TempPathFactory) -> VectorStore:
    path = tmp_path_factory.mktemp("store") / "index.faiss"
    card, _ = ivf_rabitq.BUILDER.build(
        choose_store(PLACES, DIMS, requested="ivf-rabitq"), rows, path
    )
    # As it comes out for a million places, where lists are smaller than what they are cut from.
    few = replace(card, probes=card.lists // 16, candidates=50)
    return ivf_rabitq.BUILDER.open(few, path, rows)


@pytest.fixture
def found(streets: Vectors, rows: MemoryRows, store: VectorStore) -> Callable[..., float]:
    """The share of the ten nearest that is found among some rows, by queries of some streets."""

    def share(fits: NDArray[np.bool_], asked: slice) -> float:
        only = rows.place_ids[fits]
        noise = np.random.default_rng(2).standard_normal((STREETS, DIMS))
        queries = unit(streets + 0.7 * noise)[asked]
        count = 0
        for query in queries:
            ids = {hit.place_id for hit in store.search(query, 10, only=only)}
            count += len(ids & {place for place, _ in wanted(rows, query, 10, only)})
        return count / (10 * len(queries))

    return share


@pytest.mark.parametrize("share", [0.1, 0.45, 0.55, 0.75, 0.95])
def test_a_filter_by_chance(found: Callable[..., float], share: float) -> None:
    fits = np.random.default_rng(3).random(PLACES) < share
    assert found(fits, slice(None)) >= 0.99


@pytest.mark.parametrize("left", [6, 24, 40])
def test_a_filter_of_whole_streets(found: Callable[..., float], left: int) -> None:
    fits = np.repeat(np.arange(STREETS) < left, EACH)
    assert found(fits, slice(left)) >= 0.99, "the query's own street is left"
    assert found(fits, slice(left, None)) >= 0.7, "others alone are left, all of them far"


def test_a_filter_that_leaves_a_part_of_some_streets(found: Callable[..., float]) -> None:
    fits = np.repeat(np.arange(STREETS) < 30, EACH) & (np.arange(PLACES) % 3 > 0)
    assert found(fits, slice(30)) >= 0.99
    assert found(fits, slice(30, None)) >= 0.7
