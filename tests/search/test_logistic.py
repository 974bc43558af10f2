from dataclasses import replace

import numpy as np
import pytest

from place_search.models import included_calibration
from place_search.search.calibrating.logistic import (
    area_under_roc,
    calibration_error,
    figures_of,
    fit_logistic,
    precision_recall,
    sigmoid,
)
from place_search.search.calibrating.upkeep import summary_of
from place_search.search.index_calibration import IndexCalibration

RANDOM = np.random.default_rng(4)


def test_planted_weights_are_found_again() -> None:
    evidence = RANDOM.normal(size=(20_000, 3))
    planted = np.array([1.5, -2.0, 0.5])
    same = RANDOM.random(20_000) < sigmoid(evidence @ planted)
    weights, intercept = fit_logistic(evidence, same)
    np.testing.assert_allclose(weights, planted, atol=0.12)
    assert intercept == pytest.approx(0, abs=0.1)
    assert calibration_error(sigmoid(evidence @ weights + intercept), same) < 0.02


def test_classes_count_alike_however_many_pairs_they_have() -> None:
    evidence = np.concatenate([np.full(10, 1.0), np.full(10_000, -1.0)])[:, None]
    weights, intercept = fit_logistic(evidence, evidence[:, 0] > 0)
    assert intercept == pytest.approx(0, abs=1e-6)
    assert weights[0] > 2


def test_area_under_roc_counts_pairs_in_order() -> None:
    chance = np.round(RANDOM.random(300), 2)
    same = RANDOM.random(300) < chance
    up, down = chance[same][:, None], chance[~same][None]
    expected = ((up > down) + 0.5 * (up == down)).mean()
    assert area_under_roc(chance, same) == pytest.approx(expected)


def test_precision_and_recall_at_every_threshold() -> None:
    chance = np.round(RANDOM.random(200), 1)
    same = RANDOM.random(200) < chance
    for threshold, precision, recall in zip(*precision_recall(chance, same), strict=True):
        said = chance >= threshold
        assert precision == pytest.approx(same[said].mean())
        assert recall == pytest.approx(same[said].sum() / same.sum())


def test_there_is_no_precision_where_none_is_found() -> None:
    """It was 0 %, as if all that were found had been wrong."""
    same = np.array([True, False])
    assert figures_of(np.array([0.9, 0.1]), same, 0.95)[:2] == (None, 0.0)
    assert figures_of(np.array([0.1, 0.96]), same, 0.95)[:2] == (0.0, 0.0)
    measured = replace(included_calibration(), precision=None, recall=0.0)
    assert "others: none is found; 20 places" in summary_of(IndexCalibration(measured, 20, 24))


def test_overconfidence_is_a_calibration_error() -> None:
    same = np.arange(1000) % 4 != 0
    assert calibration_error(np.where(same, 0.99, 0.99), same) == pytest.approx(0.49, abs=0.01)
