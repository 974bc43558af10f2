"""Open sets and loop closure: golden figures of small made-up rankings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import place_search
from place_search.evaluation import IndexDatabase, evaluate, read_truth_csv
from place_search.evaluation.errors import TruthError
from place_search.evaluation.open_set import (
    expected_calibration_error,
    measure_open_set,
    with_similarity_alone,
)
from place_search.evaluation.protocol import open_protocol
from place_search.evaluation.protocols.loop_closure import frame_order
from place_search.evaluation.ranking import NOTHING, Ranked
from place_search.evaluation.truth.ground_truth import GroundTruth, Order, Rows
from place_search.indexer import build_index, open_index, open_source
from place_search.models import Model, included_calibration
from place_search.search.probability import UNSURE_FROM

CALIBRATION = replace(included_calibration(), threshold=0.95)


def rows(*numbers: int) -> Rows:
    return np.array(numbers, dtype=np.int64)


def first(row: int, probability: float) -> Ranked:
    return Ranked(rows(row), np.array([0.5], np.float32), probability)


def test_the_figures_of_an_open_set() -> None:
    ranked = [
        first(1, 0.99),  # known, right, found
        first(2, 0.97),  # known, wrong, found
        first(3, 0.60),  # known, right, not found
        NOTHING,  # known, could not be read
        first(4, 0.96),  # unknown, found
        first(5, 0.10),  # unknown, not found
        NOTHING,  # without a photo to find
    ]
    positives = [rows(1), rows(9), rows(3), rows(7), rows(), rows(), rows()]
    measured = measure_open_set(ranked, positives, CALIBRATION)
    found = measured.to_dict()
    assert not found.keys() & {"verdicts", "probabilities", "right", "answered"}
    assert [*measured.verdicts[:3]] == ["found", "found", "unsure"]
    assert [*measured.verdicts[3:]] == ["not_found", "found", "not_found", "not_found"]
    assert (found["known"], found["unknown"], found["unanswered"]) == (4, 2, 2)
    assert found["precision"] == pytest.approx(100 / 3, abs=1e-3)
    assert found["recall"] == 25.0
    assert found["false_found"] == 50.0
    assert found["recall_at_precision_100"] == 25.0
    assert found["recall_at_precision_99"] == 25.0
    # Right ones 0.99 and 0.60 against wrong ones 0.97, 0.96 and 0.10: 3 + 1 of 6 in order.
    assert found["auc"] == pytest.approx(4 / 6, abs=1e-4)
    # In the last bin 2 more are told right than are; 0.60 lacks 0.40, 0.10 is told too much.
    assert found["calibration_error"] == pytest.approx((1.92 + 0.40 + 0.10) / 5)


def test_of_no_answer_at_all_nothing_can_be_said() -> None:
    with pytest.raises(TruthError, match="No query had a photo to find"):
        measure_open_set([NOTHING], [rows(1)], CALIBRATION)


@pytest.mark.parametrize("k", [1, 10, 100])
def test_a_standardised_order_is_judged_by_all_that_a_search_compares(k: int) -> None:
    """The first by standardised descriptors is not always the most similar one."""
    calibration = replace(CALIBRATION, unverified=(40.0, 0.0, -20.0))
    similarities = np.array([0.3, 0.9, *[0.1] * 28], np.float32)
    results = Ranked(np.arange(30), similarities)
    assert with_similarity_alone(results, calibration, k).probability == UNSURE_FROM


@pytest.mark.slow
def test_a_photo_of_one_colour_shows_no_place_as_in_a_search(
    tmp_path: Path, draw: Callable[..., None], model: Model
) -> None:
    for scene in range(6):
        draw(tmp_path / "places" / f"{scene}.jpg", scene)
    for name, grey in (("places/night", 3), ("places/wall", 128), ("night", 2), ("wall", 125)):
        Image.new("RGB", (320, 240), (grey, grey, grey)).save(tmp_path / f"{name}.jpg")
    draw(tmp_path / "0.jpg", 0, shift=4)
    queries = ["places/night.jpg", "places/wall.jpg", "night.jpg", "wall.jpg"]
    text = "\n".join(["query,positives", "0.jpg,places/0.jpg", *(f"{name}," for name in queries)])
    (tmp_path / "truth.csv").write_text(text)
    truth = read_truth_csv(tmp_path / "truth.csv", tmp_path, tmp_path / "places", open_set=True)
    build_index(open_source(tmp_path / "places"), tmp_path / "index", model)
    index = open_index(tmp_path / "index")
    for database in (None, IndexDatabase(index, truth)):
        measured = evaluate(truth, model, index=database, open_set=True).open_set
        assert measured is not None
        assert measured.verdicts[1:] == ("not_found",) * 4
        assert measured.false_found == 0.0
    assert measured is not None
    for query in (0, 3, 4):  # those that are no places themselves
        answer = place_search.search(
            index, tmp_path / truth.queries[query], model=model, verify=False
        )
        assert measured.verdicts[query] == answer.match.verdict
        assert measured.probabilities[query] == pytest.approx(answer.match.probability, abs=1e-6)


def test_what_there_is_nothing_to_say_of_is_null() -> None:
    known = measure_open_set([first(1, 0.99)], [rows(1)], CALIBRATION).to_dict()
    assert (known["auc"], known["false_found"]) == (None, None)
    unknown = measure_open_set([first(1, 0.2)], [rows()], CALIBRATION).to_dict()
    assert (unknown["recall"], unknown["precision"]) == (None, None)
    assert unknown["false_found"] == 0.0


def test_the_threshold_of_a_precision() -> None:
    ranked = [first(1, 0.9), first(1, 0.8), first(2, 0.7), first(1, 0.6)]
    found = measure_open_set(ranked, [rows(1)] * 4, CALIBRATION)
    assert found.threshold_at(1.0) == pytest.approx(0.8, abs=1e-4)
    assert found.threshold_at(0.75) == pytest.approx(0.6, abs=1e-4)
    wrong = measure_open_set([first(2, 0.9)], [rows(1)], CALIBRATION)
    assert wrong.threshold_at(0.9) is None


@pytest.mark.parametrize("last", [1.0, 1 - 1e-9, 0.97, 0.5, 0.02, 1e-9, 0.0])
def test_a_threshold_is_reached_by_a_search_that_sums_in_another_order(last: float) -> None:
    found = measure_open_set([first(1, last)], [rows(1)], CALIBRATION).threshold_at(1.0)
    assert found is not None
    told = last - 1.2e-5 * last * (1 - last)
    assert 0 <= found <= told
    assert found == pytest.approx(last, abs=1e-4)


def test_the_threshold_is_true_of_the_probabilities_that_a_search_tells() -> None:
    # The first two are told as 0.987654000001.
    chances = [0.9876540000014, 0.9876540000009, 0.5]
    found = measure_open_set([first(1, chance) for chance in chances], [rows(1)] * 3, CALIBRATION)
    assert found.threshold_at(1.0) == pytest.approx(0.5, abs=1e-4)
    apart = measure_open_set(
        [first(1, 0.9876540000019), first(2, chances[0])], [rows(1)] * 2, CALIBRATION
    )
    threshold = apart.threshold_at(1.0)
    assert threshold is not None
    assert 0.987654000001 < threshold <= 0.987654000002
    assert apart.best_of_both is None
    told = [first(1, chances[0]), first(2, chances[1])]
    alike = measure_open_set(told, [rows(1)] * 2, CALIBRATION)
    assert (alike.threshold_at(1.0), alike.best_of_both) == (None, 0.987654000001)
    # What is called found is so by the whole probability, as in a search.
    just = measure_open_set([first(1, 0.94999999)], [rows(1)], CALIBRATION)
    assert just.recall == 0.0


def test_the_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    chance = np.array([0.95, 0.95, 0.05, 0.05])
    right = np.array([True, False, False, False])
    assert expected_calibration_error(chance, right) == pytest.approx((0.9 + 0.1) / 4)


def test_loop_closure_searches_what_came_well_before() -> None:
    names = tuple(f"f{frame}.jpg" for frame in range(12))
    truth = GroundTruth(
        root=Path(),
        database=names,
        queries=(names[10], names[3]),
        positives=(rows(1, 8, 9, 11), rows(4)),
        name="drive",
    )
    rules = open_protocol(truth, "loop-closure:2")
    assert rules.keep(0, rows(*range(12))).tolist() == [True] * 8 + [False] * 4
    assert [found.tolist() for found in rules.positives] == [[1], []]
    assert rules.candidates() == [8.0, 1.0]
    assert open_protocol(truth, rules.name).name == rules.name


def test_frames_are_in_the_order_of_their_numbers() -> None:
    order = frame_order(("b/10.jpg", "a/9.jpg", "a/100.jpg"))
    assert sorted(order, key=order.__getitem__) == ["a/9.jpg", "b/10.jpg", "a/100.jpg"]
    twice = frame_order(("b/1.jpg", "a/1.jpg", "a/2.jpg"))
    assert sorted(twice, key=twice.__getitem__) == ["a/1.jpg", "a/2.jpg", "b/1.jpg"]


def test_times_that_contradict_the_order_of_frames_are_told() -> None:
    names = ("1.jpg", "2.jpg", "3.jpg")

    def warnings(*taken: float) -> list[str]:
        order = Order(("", "", ""), np.array(taken))
        truth = GroundTruth(
            Path(), names, names, (rows(),) * 3, database_order=order, query_order=order
        )
        return list(open_protocol(truth, "loop-closure:1").warnings)

    assert warnings(10, 10, np.nan) == []
    [told] = warnings(10, np.nan, 9)
    assert told.startswith("By their times '3.jpg' was taken before '1.jpg', but frames are in the")


def test_frames_in_the_order_of_their_paths_are_told() -> None:
    def warnings(*names: str) -> list[str]:
        positives = (rows(),) * len(names)
        truth = GroundTruth(Path(), names, names, positives, "drive")
        return list(open_protocol(truth, "loop-closure:1").warnings)

    assert warnings("b/10.jpg", "a/9.jpg", "a/100.jpg") == []
    [told] = warnings("@585042.1@4476938.8@.jpg", "@585040.1@4476938.8@.jpg")
    assert told.startswith("File names of frames begin with their positions, as '@585040.1@44769")
    # All photos of the left camera would come before the first of the right one.
    [told] = warnings("L0001.jpg", "R0001.jpg", "L0002.jpg", "R0002.jpg")
    assert told.startswith("The file names of frames differ in more than their numbers, as 'L0001.")
    assert "'R0001.jpg'" in told
    assert "give each frame a file name of its own" in told
    [told] = warnings("b/10.jpg", "b/9.jpg", "a/10.jpg", "a/9.jpg")
    assert told.startswith("'9.jpg' is the file name of several frames, so all frames are in the ")
    assert "give each frame a file name of its own" in told
