import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from place_search.evaluation import rank
from place_search.evaluation.ranking import Chunk
from place_search.evaluation.truth.ground_truth import Rows

# Few values: ties are common, and every product is exact in float32.
halves = st.sampled_from([0.0, 0.5, 1.0])
Search = tuple[NDArray[np.float32], NDArray[np.float32], list[Rows], Rows]


@st.composite
def searches(
    draw: st.DrawFn,
) -> Search:
    queries = draw(st.integers(1, 6))
    size = draw(st.integers(1, 9))
    own = [
        np.array(sorted(draw(st.sets(st.integers(0, size - 1)))), np.int64) for _ in range(queries)
    ]
    lost = sorted(draw(st.sets(st.integers(0, size - 1))))
    return (
        draw(hnp.arrays(np.float32, (queries, 3), elements=halves)),
        draw(hnp.arrays(np.float32, (size, 3), elements=halves)),
        own,
        np.array(lost, dtype=np.int64),
    )


def in_chunks(database: NDArray[np.float32], step: int) -> list[Chunk]:
    """The database in chunks whose order is not that of the rows."""
    starts = range(0, len(database), step)
    rows = [np.arange(len(database))[start : start + step] for start in starts]
    return [(part, database[part]) for part in reversed(rows)]


@given(searches(), st.integers(1, 12), st.integers(1, 10))
def test_ranking_is_a_full_sort_without_the_own_photo_and_the_lost_ones(
    search: Search,
    depth: int,
    step: int,
) -> None:
    queries, database, own, lost = search
    found = rank(queries, in_chunks(database, step), depth, own=own, unreadable=lost)
    for query, (rows, similarities, _) in enumerate(found):
        allowed = [r for r in range(len(database)) if r not in own[query] and r not in lost]
        order = sorted(allowed, key=lambda row: -float(queries[query] @ database[row]))
        assert rows.tolist() == order[:depth]
        assert similarities.tolist() == [queries[query] @ database[row] for row in rows]


def test_equal_descriptors_are_equally_similar_wherever_they_lie() -> None:
    """A matrix product sums the last columns of a block in another order."""
    rng = np.random.default_rng(0)
    descriptors = rng.normal(size=(9 + 23, 1024)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    queries, database = descriptors[:9], descriptors[9:]
    same = [4, 12, 20, 22]
    database[same] = database[4]
    for step in (23, 7):
        for depth in (23, 10):
            for rows, similarities, _ in rank(queries, in_chunks(database, step), depth):
                equal = np.flatnonzero(np.isin(rows, same))
                assert rows[equal].tolist() == same[: len(equal)]
                assert len(set(similarities[equal].tolist())) <= 1


def test_what_a_query_may_not_have_takes_no_place_of_another() -> None:
    queries, database = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)
    found = rank(queries, in_chunks(database, 2), 1, keep=lambda query, rows: rows < query)
    assert [each.rows.tolist() for each in found] == [[], [0], [0]]


def test_an_empty_database_has_no_results() -> None:
    none = rank(np.ones((2, 3), np.float32), [], 5)
    assert [found.rows.tolist() for found in none] == [[], []]
