"""Verdicts: what a search says, and that a comparison never says the contrary."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from place_search.indexer import Hit
from place_search.models import Model, included_calibration, read_calibration
from place_search.search.compare import compare_photos
from place_search.search.engine import Engine
from place_search.search.probability import (
    UNSURE_FROM,
    Cohort,
    candidate_probabilities,
    match_of,
    pair_probability,
    probability_first,
    sort_key,
)
from place_search.search.several.views import RankedPlace, best_of_views
from place_search.search.verification import Verification
from tests.search.calibration_0_1 import CALIBRATION as CALIBRATION_0_1
from tests.search.photos import encoded

CALIBRATION = included_calibration()
NO_MATCHES = np.empty((0, 4), np.float32)


def verification(inliers: int, mutual: int) -> Verification:
    return Verification(inliers, mutual, float(inliers), NO_MATCHES)


def noise() -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@given(
    inliers=st.integers(0, 700),
    more=st.integers(0, 700),
    similarities=st.lists(st.floats(-0.2, 1.0), min_size=1, max_size=100),
)
def test_a_search_never_says_the_contrary_of_a_comparison(
    inliers: int, more: int, similarities: Sequence[float]
) -> None:
    found = verification(inliers, inliers + more)
    best = max(similarities)
    [probability] = candidate_probabilities(CALIBRATION, [best], [found], similarities)
    verdict = match_of(CALIBRATION, probability).verdict
    same = pair_probability(CALIBRATION, best, found) >= CALIBRATION.threshold
    assert 0 <= probability <= 1
    assert not (verdict == "found" and not same)
    assert not (verdict == "not_found" and same)


@pytest.mark.parametrize("others", [[0.3] * 100, [0.3]])
def test_more_agreement_is_more_probable(others: Sequence[float]) -> None:
    rows = [verification(inliers, 300) for inliers in range(0, 300, 20)]
    chances = candidate_probabilities(CALIBRATION, [0.5] * len(rows), rows, others)
    assert chances == sorted(chances)
    assert chances[0] < 0.01
    assert chances[-1] > 0.99


def test_what_stands_out_among_the_candidates_is_more_probable() -> None:
    found = [verification(110, 300)]
    alike = candidate_probabilities(CALIBRATION, [0.6], found, [0.6, *[0.58] * 99])
    apart = candidate_probabilities(CALIBRATION, [0.6], found, [0.6, *[0.3] * 99])
    assert apart[0] > alike[0]


def test_what_is_far_more_similar_than_the_others_may_be_seen_from_another_side() -> None:
    def first(similarity: float, others: float, count: int) -> float:
        similarities = [similarity, *[others] * count]
        found = [verification(25, 200)]
        return candidate_probabilities(CALIBRATION, [similarity], found, similarities)[0]

    assert first(0.64, 0.14, 30) == UNSURE_FROM
    assert first(0.64, 0.14, 0) < 0.1  # nothing to measure it by
    assert first(0.84, 0.7, 30) < 0.1  # all photos are alike here
    assert first(0.3, 0.1, 30) < 0.1


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [(0.0, "not_found"), (0.5, "unsure"), (0.949, "unsure"), (1.0, "found")],
)
def test_the_verdict_is_that_of_the_best_result(probability: float, verdict: str) -> None:
    assert match_of(CALIBRATION, probability) == (verdict, probability, CALIBRATION.threshold)


def test_what_chance_could_be_is_ordered_by_its_probability() -> None:
    scored, chance = verification(60, 90), verification(40, 60)._replace(score=0.0)
    results = [
        (chance, 0.1),
        (None, None),
        (chance, 0.96),
        (scored, 0.3),
        (chance, 0.2),
        (chance, 0.99),
        (scored, 0.9),
        (None, 0.8),
    ]
    # What is elsewhere, and what was not verified, stays in the order of its similarity.
    expected = [results[at] for at in (3, 6, 5, 2, 0, 1, 4, 7)]
    assert sorted(results, key=lambda result: sort_key(*result)) == expected


def test_the_first_result_is_unsure_where_one_behind_it_is_likely() -> None:
    assert probability_first([0.06, 0.1, 0.99]) == UNSURE_FROM
    assert probability_first([0.7, 0.99]) == 0.7
    assert probability_first([0.06, 0.1]) == 0.06
    assert probability_first([]) == 0.0
    first, second = (
        RankedPlace(Hit(place, 0.3), verification(90, 200), chance)
        for place, chance in enumerate((0.06, 0.99))
    )
    assert best_of_views([[first, second]]) == [first._replace(probability=UNSURE_FROM), second]


def test_what_chance_could_be_is_never_sure() -> None:
    found = verification(45, 46)
    assert pair_probability(CALIBRATION, 0.6, found) > CALIBRATION.threshold
    chance = found._replace(score=0.0)
    assert pair_probability(CALIBRATION, 0.6, chance) == UNSURE_FROM
    assert (
        candidate_probabilities(CALIBRATION, [0.6], [chance], [0.6, *[0.0] * 99])[0] == UNSURE_FROM
    )


def test_a_calibration_of_version_0_1_still_weighs_three_numbers() -> None:
    odds = 4.0 * 0.5 + np.log1p(100) + 0.4 * 10 - 9.0
    expected = 1 / (1 + np.exp(-odds))
    assert pair_probability(CALIBRATION_0_1, 0.5, verification(100, 300)) == pytest.approx(expected)
    agreement, _, intercept = CALIBRATION.among
    assert CALIBRATION_0_1.completed().among == (agreement, 0.0, intercept)
    assert CALIBRATION_0_1.completed().unverified == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("kept", "counts"), [(0.062, 0.95), (0.5, 0.95), (0.6, 0.6), (0.99, 0.99)])
def test_a_threshold_that_calls_all_found_does_not_count(kept: float, counts: float) -> None:
    table = {**asdict(CALIBRATION_0_1), "threshold": kept}
    assert read_calibration(table).threshold == counts


@pytest.mark.parametrize("place", range(0, 12, 3))
def test_a_place_that_is_there_is_found_and_the_same(
    engine: Engine, model: Model, street: Any, place: int
) -> None:
    reply = engine.search(street.query(place))
    assert reply.match.verdict == "found"
    assert reply.match.probability == reply.results[0].probability
    compared = compare_photos(model, street.query(place), encoded(street.photo(place)))
    assert compared.result == "same"
    assert all(result.probability < UNSURE_FROM for result in reply.results[1:])


@pytest.mark.parametrize("verify", [None, False])
@pytest.mark.parametrize("photo", ["black", "white", "noise"])
def test_what_is_no_place_is_never_found(engine: Engine, photo: str, verify: bool | None) -> None:
    image = noise() if photo == "noise" else Image.new("RGB", (640, 480), photo)
    reply = engine.search(encoded(image), verify=verify)
    assert reply.match.verdict != "found"
    assert reply.location is None


def test_a_place_that_is_not_there_is_not_found(engine: Engine, street: Any) -> None:
    # Only places around place 4 are searched; the photo shows place 11, which has no position.
    reply = engine.search(street.query(11), near=street.position(4), radius_m=250)
    assert reply.match.verdict == "not_found"
    assert reply.location is None


def test_no_results_are_not_found(engine: Engine, street: Any) -> None:
    reply = engine.search(street.query(1), near=street.position(4), radius_m=1)
    assert len(reply.results) <= 1
    nothing = match_of(engine.calibration, 0.0)
    assert nothing.verdict == "not_found"


def test_without_verification_the_probability_is_by_similarity(engine: Engine, street: Any) -> None:
    known = engine.search(street.query(3), verify=False).match.probability
    unknown = engine.search(
        street.query(11), verify=False, near=street.position(4), radius_m=250
    ).match.probability
    assert known > unknown


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=100))
def test_what_is_usual_is_numpy_s_median(similarities: list[float]) -> None:
    assert Cohort.of(similarities).usual == np.median(similarities)
