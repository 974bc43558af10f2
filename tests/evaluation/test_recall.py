import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from place_search.evaluation.recall import (
    all_are_right,
    chance_at,
    chance_of_hit,
    chance_of_shares,
    no_better_than_chance,
    recall_at,
)

Rows = NDArray[np.int64]


def rows(*values: int) -> Rows:
    return np.array(values, dtype=np.int64)


def test_recall_counts_all_queries() -> None:
    ranked = [rows(3, 1, 2), rows(1, 2, 3), rows(2, 3, 1), rows()]
    positives = [rows(3), rows(3), rows(), rows(1)]
    assert recall_at(ranked, positives, (1, 2, 3, 10)) == {1: 25.0, 2: 25.0, 3: 50.0, 10: 50.0}


def test_no_queries_have_no_recall() -> None:
    with pytest.raises(ValueError, match="at least one"):
        recall_at([], [], [1])


def test_arrays_are_taken_and_masks_are_not() -> None:
    ranked = np.array([[2, 0], [1, 2]])
    assert recall_at(ranked, np.array([[0], [0]]), (1, 2)) == {1: 0.0, 2: 50.0}  # type: ignore[arg-type]
    mask = np.array([[True, False, False], [True, False, False]])
    with pytest.raises(ValueError, match="positives must hold rows; those of a mask are"):
        recall_at(ranked, mask, (1, 2))  # type: ignore[arg-type]


@st.composite
def evaluations(draw: st.DrawFn) -> tuple[list[Rows], list[Rows], int]:
    size = draw(st.integers(1, 12))
    queries = draw(st.integers(1, 8))
    ranked = [rows(*draw(st.permutations(range(size)))) for _ in range(queries)]
    positives = [
        rows(*sorted(draw(st.sets(st.integers(0, size - 1), max_size=size))))
        for _ in range(queries)
    ]
    return ranked, positives, size


@given(evaluations())
def test_recall_grows_with_n_up_to_the_queries_that_have_positives(
    evaluation: tuple[list[Rows], list[Rows], int],
) -> None:
    ranked, positives, size = evaluation
    recall = list(recall_at(ranked, positives, range(1, size + 1)).values())
    assert recall == sorted(recall)
    answerable = sum(bool(right.size) for right in positives)
    assert recall[-1] == pytest.approx(100 * answerable / len(ranked))


@given(evaluations())
def test_chance_grows_with_n_and_meets_recall_at_the_full_ranking(
    evaluation: tuple[list[Rows], list[Rows], int],
) -> None:
    ranked, positives, size = evaluation
    counts = [right.size for right in positives]
    chance = list(chance_at([size] * len(counts), counts, range(1, size + 1)).values())
    assert chance == sorted(chance)
    assert chance[-1] == pytest.approx(recall_at(ranked, positives, [size])[size])


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 80))
def test_chance_is_the_hypergeometric_formula(candidates: int, right: int, n: int) -> None:
    right = min(right, candidates)
    drawn = min(n, candidates)
    exact = 1 - Fraction(math.comb(candidates - right, drawn), math.comb(candidates, drawn))
    assert chance_of_hit(candidates, right, n) == pytest.approx(float(exact), abs=1e-12)
    assert chance_of_shares(candidates, [1.0] * right, n) == pytest.approx(float(exact), abs=1e-12)


def test_chance_is_what_random_rankings_reach() -> None:
    rng = np.random.default_rng(7)
    candidates, right = [30] * 40, [0, 1, 2, 5] * 10
    positives = [rows(*range(count)) for count in right]
    measured = np.mean(
        [
            list(
                recall_at(
                    [rng.permutation(30).astype(np.int64) for _ in right], positives, (1, 5, 10)
                ).values()
            )
            for _ in range(300)
        ],
        axis=0,
    )
    # 12,000 random rankings: a standard deviation of under half a per cent.
    assert measured == pytest.approx(list(chance_at(candidates, right, (1, 5, 10)).values()), abs=2)


@pytest.mark.parametrize(("recall", "warns"), [(0.0, True), (1.0, True), (8.0, False)])
def test_chance_level_is_told_from_a_weak_model(recall: float, warns: bool) -> None:
    # 200 queries with 5 of 200 photos right: 2.5 % by chance, give or take 1.1.
    assert no_better_than_chance({1: recall}, [200] * 200, [5] * 200) is warns


def test_too_few_queries_say_nothing_about_chance() -> None:
    assert not no_better_than_chance({1: 0.0}, [2], [1])
    assert not no_better_than_chance({1: 50.0}, [10] * 4, [10] * 4)
    assert not no_better_than_chance({1: 0.0}, [60] * 4, [1] * 4)
    assert no_better_than_chance({1: 0.0}, [60] * 5, [1] * 5)


def test_what_more_results_show_is_above_chance() -> None:
    """R@1 of 0 % was called out of step beside an R@5 of 100 %."""
    of_60 = [60] * 10, [1] * 10
    assert no_better_than_chance({1: 0.0, 5: 10.0}, *of_60)
    assert not no_better_than_chance({1: 0.0, 5: 100.0}, *of_60)
    # All 60 have the right one, by chance as by any ranking.
    assert no_better_than_chance({1: 0.0, 60: 100.0}, *of_60)


def test_a_truth_in_which_all_is_right_is_known() -> None:
    assert all_are_right([2, 3], [2, 3])
    assert not all_are_right([2, 3], [2, 2])
    assert all_are_right([1, 1], [1, 1])
    assert not all_are_right([0, 2], [0, 2])
