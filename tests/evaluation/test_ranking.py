import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from evaluation import rank
from evaluation.ranking import BLOCK

# Few values: ties are common, and every product is exact in float32.
halves = st.sampled_from([0.0, 0.5, 1.0])


@st.composite
def searches(
    draw: st.DrawFn,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    queries = draw(st.integers(1, 6))
    size = draw(st.integers(1, 9))
    own = draw(hnp.arrays(np.int64, queries, elements=st.integers(-1, size - 1)))
    lost = sorted(draw(st.sets(st.integers(0, size - 1))))
    return (
        draw(hnp.arrays(np.float32, (queries, 3), elements=halves)),
        draw(hnp.arrays(np.float32, (size, 3), elements=halves)),
        own,
        np.array(lost, dtype=np.int64),
    )


@given(searches(), st.integers(1, 12))
def test_ranking_is_a_full_sort_without_the_own_photo_and_the_lost_ones(
    search: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]],
    depth: int,
) -> None:
    queries, database, own, lost = search
    for query, found in enumerate(rank(queries, database, depth, own=own, lost=lost)):
        allowed = [r for r in range(len(database)) if r != own[query] and r not in lost]
        order = sorted(allowed, key=lambda row: -float(queries[query] @ database[row]))
        assert found.tolist() == order[:depth]


def test_queries_beyond_one_block_get_their_own_answers() -> None:
    count = BLOCK + 3
    own = np.arange(count, dtype=np.int64)
    identity = np.eye(count, dtype=np.float32)
    assert [rows[0] for rows in rank(identity, identity, 1)] == list(range(count))
    assert all(row not in rows for row, rows in enumerate(rank(identity, identity, 5, own=own)))


def test_an_empty_database_has_no_results() -> None:
    none = rank(np.ones((2, 3), np.float32), np.empty((0, 3), np.float32), 5)
    assert [rows.tolist() for rows in none] == [[], []]
