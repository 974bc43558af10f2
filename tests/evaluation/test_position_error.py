"""Metres from queries to their first results."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from place_search.evaluation.position_error import error_percentiles, position_errors
from place_search.evaluation.ranking import NOTHING, Ranked
from place_search.evaluation.truth.ground_truth import GroundTruth


@pytest.fixture
def truth() -> GroundTruth:
    """Four queries 0, 30, 60 and 90 m along a street of places 100 m apart."""
    queries = np.array([[0.0, 0.0, 0.0], [30.0, 0.0, 0.0], [60.0, 0.0, 0.0], [90.0, 0.0, 0.0]])
    return GroundTruth(
        root=Path(),
        database=("0.jpg", "100.jpg"),
        queries=("a", "b", "c", "d"),
        positives=(np.array([0]),) * 4,
        database_metres=np.array([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0]]),
        query_metres=queries,
    )


def first(*rows: int) -> list[Ranked]:
    return [Ranked(np.array([row]), np.array([0.5], np.float32)) for row in rows]


def test_errors_are_metres_to_the_first_result(truth: GroundTruth) -> None:
    assert position_errors(truth, first(0, 0, 1, 1)).tolist() == [0, 30, 40, 10]
    assert error_percentiles(position_errors(truth, first(0, 0, 1, 1))) == {50: 10, 90: 40}


def test_so_many_per_cent_are_no_further_away() -> None:
    truth = GroundTruth(
        root=Path(),
        database=("0.jpg", "1000.jpg"),
        queries=tuple("abcde"),
        positives=(np.array([0]),) * 5,
        database_metres=np.array([[0.0, 0.0], [1000.0, 0.0]]),
        query_metres=np.zeros((5, 2)),
    )
    assert error_percentiles(position_errors(truth, first(0, 0, 0, 0, 1))) == {50: 0, 90: 1000}


def test_unanswered_queries_and_unknown_positions_have_none(truth: GroundTruth) -> None:
    ranked = [*first(0, 0, 1), NOTHING]
    assert np.isnan(position_errors(truth, ranked)).tolist() == [False, False, False, True]
    assert (
        error_percentiles(position_errors(replace(truth, query_metres=None), first(0, 0, 1, 1)))
        is None
    )
