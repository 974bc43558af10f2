"""Models side by side: is the difference more than chance, and where do they differ?"""

import csv
import json
import math
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from place_search.evaluation import (
    Difference,
    EvalReport,
    GroundTruth,
    TruthError,
    TruthFiles,
    compare_reports,
    evaluate,
    evaluate_models,
    read_truth_csv,
)
from place_search.evaluation.ranking import Ranked
from place_search.evaluation.report.comparison import write_comparison
from place_search.models import Model, encode_grid, find_model


def report(right: Sequence[bool]) -> EvalReport:
    """A report of queries whose first result is right or wrong; the second one is right."""
    order = [[0, 1] if first else [1, 0] for first in right]
    ranked = [Ranked(np.array(rows), np.array([0.9, 0.8], np.float32)) for rows in order]
    positives = [np.array([0])] * len(right)
    recall = {1: 100 * sum(right) / len(right), 2: 100.0}
    return EvalReport(
        "raw", "m", 2, len(right), 0, recall, recall, {}, ranked=ranked, positives=positives
    )


def difference(lost: int, same: int, won: int) -> Difference:
    """At Recall@1, where so many queries are right by the first model or the second only."""
    first = [True] * lost + [False] * won + [True] * same
    second = [False] * lost + [True] * won + [True] * same
    found = compare_reports(["A", "B"], [report(first), report(second)]).differences[0]
    assert (found.only_first, found.only_second) == (lost, won)
    return found


def test_a_difference_that_chance_would_not_make() -> None:
    found = difference(0, 180, 20)
    assert found.points == 10.0
    assert found.is_significant
    assert str(found.sentence) == (
        f"Recall@1: B is 10.0 points above A (95 % interval {found.low:.1f} to {found.high:.1f}, "
        "p < 0.001): more than chance."
    )


def test_a_difference_that_chance_would_make() -> None:
    found = difference(4, 40, 6)
    assert found.points == pytest.approx(4.0)
    assert found.low < 0 < found.points < found.high
    assert 0.3 < found.p < 0.8
    assert str(found.sentence).endswith("this may be chance.")


def test_models_in_the_other_order_give_the_same_sentence() -> None:
    one, other = difference(2, 90, 12), difference(12, 90, 2)
    assert other.points == -one.points
    assert "B is 9.6 points above A (95 % interval " in str(one.sentence)
    assert "A is 9.6 points above B (95 % interval " in str(other.sentence)
    assert other.p == pytest.approx(one.p, abs=0.01)


def test_an_interval_from_zero_has_no_sign() -> None:
    found = difference(5, 8, 0)
    assert str(found.sentence).startswith(
        "Recall@1: A is 38.5 points above B (95 % interval 0.0 to "
    )


def test_the_interval_is_that_of_the_normal_approximation_where_there_are_many() -> None:
    lost, same, won = 300, 1200, 500
    total = lost + same + won
    share = (won - lost) / total
    spread = 196 * np.sqrt(((won + lost) / total - share**2) / total)
    found = difference(lost, same, won)
    assert found.high - found.points == pytest.approx(spread, rel=0.05)
    assert found.points - found.low == pytest.approx(spread, rel=0.05)


def test_equal_answers_do_not_differ() -> None:
    found = difference(0, 50, 0)
    assert (found.points, found.p) == (0, 1)
    # Of 50 queries, three that differ may well have been missed, on either side.
    assert found.low == -found.high == pytest.approx(-6.0, abs=1.0)
    equal = "Recall@1: A and B are equal (95 % interval of the difference -6.0 to 6.0)."
    assert str(found.sentence) == equal


@pytest.mark.parametrize("total", [40, 200])
@pytest.mark.parametrize(
    ("lost", "won"), [(0, 3), (0, 4), (0, 5), (0, 6), (1, 7), (1, 8), (2, 9), (10, 25)]
)
def test_few_that_differ_prove_no_more_than_a_coin_would(lost: int, won: int, total: int) -> None:
    """Of models that are equally good, each query that differs is right by either: McNemar 1947."""
    differ = lost + won
    exact = 2 * sum(math.comb(differ, few) for few in range(lost + 1)) / 2**differ
    found = difference(lost, total - differ, won)
    assert found.p == pytest.approx(exact, rel=0.35)
    assert found.is_significant == (exact < 0.05)
    assert (found.low > 0) == (exact < 0.05)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, draw: Callable[..., None]) -> GroundTruth:
    root = tmp_path_factory.mktemp("town")
    lines = ["query,positives"]
    for scene in range(4):
        draw(root / f"<{scene}>.jpg", scene)
        draw(root / "queries" / f"{scene}.jpg", scene, shift=16)
        lines.append(f"queries/{scene}.jpg,<{scene}>.jpg")
    (root / "truth.csv").write_text("\n".join(lines))
    return read_truth_csv(root / "truth.csv", root)


@pytest.mark.slow
def test_the_page_shows_where_models_differ(
    town: GroundTruth, model: Model, tmp_path: Path
) -> None:
    good = evaluate(town, model, ks=[1, 2])
    assert good.recall[1] == 100.0
    features = encode_grid(model.embed(model.read(town.path(town.queries[0]))))[0]
    assert good.bytes_a_photo == model.card.dims + features.nbytes
    assert good.ms_a_photo is not None
    assert good.ms_a_photo > 0
    ranked = list(good.ranked)
    ranked[2] = Ranked(ranked[2].rows[::-1], ranked[2].similarities[::-1])
    bad = replace(good, ranked=ranked, recall={1: 75.0, 2: 75.0})
    compared = compare_reports(["a&b", "worse"], [good, bad])
    page = write_comparison(town, compared, tmp_path / "out").read_text("utf-8")
    assert page.count("<article") == 1
    assert '<article id="q2" class="is-right">' in page
    assert "Right by a&amp;b only" in page
    assert "a&amp;b is 25.0 points above worse" in page
    with (tmp_path / "out" / "queries.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["first_right a&b"] for row in rows] == ["1"] * 4
    assert [row["first_right worse"] for row in rows] == ["1", "1", "4", "1"]
    with (tmp_path / "out" / "comparison.csv").open() as stream:
        models = list(csv.DictReader(stream))
    assert float(models[0]["bytes a photo"]) == good.bytes_a_photo > 1000
    told = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert told == json.loads(json.dumps(compared.to_dict()))
    assert told["comparison"][0]["models"] == ["a&b", "worse"]
    drawing = ET.fromstring((tmp_path / "out" / "recall.svg").read_text())
    lines = [e.get("class") for e in drawing.iter("{http://www.w3.org/2000/svg}polyline")]
    assert lines == ["chance dashes line", "model0 line", "model1 line"]


def test_what_cannot_be_compared_is_refused_before_any_work(tmp_path: Path) -> None:
    files = TruthFiles(data=tmp_path)
    for models in (["lite0-netvlad-1024"], ["lite0-netvlad-1024", "lite0-netvlad-1024"]):
        with pytest.raises(TruthError, match="Two or more models"):
            evaluate_models(files, models)
    with pytest.raises(Exception, match="There is no model 'other'"):
        evaluate_models(files, ["lite0-netvlad-1024", "other"])
    (tmp_path / "mine.txt").write_text("x")
    twice: list[str | Path] = ["lite0-netvlad-1024", find_model()]
    with pytest.raises(TruthError, match="Two or more models"):
        evaluate_models(files, twice)  # the same one, by id and by folder
    copy = tmp_path / "copy"
    shutil.copytree(find_model(), copy)
    with pytest.raises(TruthError, match="holds other files"):
        evaluate_models(files, ["lite0-netvlad-1024", copy], report_dir=tmp_path)


@pytest.mark.slow
def test_an_interrupted_comparison_is_repeated_into_the_same_folder(
    town: GroundTruth, tmp_path: Path
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if "copy" in stage:
            raise KeyboardInterrupt

    files = TruthFiles(truth=town.root / "truth.csv", root=town.root)
    copy, out = tmp_path / "copy", tmp_path / "out"
    shutil.copytree(find_model(), copy)
    models: list[str | Path] = ["lite0-netvlad-1024", copy]
    with pytest.raises(KeyboardInterrupt):
        evaluate_models(files, models, report_dir=out, progress=stop)
    assert (out / "lite0-netvlad-1024" / "index.html").is_file()
    compared = evaluate_models(files, models, ks=iter((1, 2)), report_dir=out)
    assert [list(report.recall) for report in compared.reports] == [[1, 2]] * 2
    assert (out / "index.html").is_file()
