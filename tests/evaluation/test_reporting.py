"""The files of a report, and its page in a browser."""

import csv
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from bench.chromium import chromium
from place_search.core.plugins import load_part, part_names
from place_search.core.version import program_version
from place_search.evaluation import (
    EvalReport,
    GroundTruth,
    TruthError,
    evaluate,
    read_split_truth,
    read_truth_csv,
    write_report,
)
from place_search.evaluation.protocol import PROTOCOLS, open_protocol
from place_search.evaluation.ranking import NOTHING
from place_search.evaluation.report.curve import draw_curve, draw_curves
from place_search.evaluation.report.gallery import SHOWN, choose_shown
from place_search.evaluation.report.outcomes import QueryOutcome
from place_search.evaluation.report.tables import introduction
from place_search.evaluation.report.words import LANGUAGES, all_words
from place_search.evaluation.results import find_published
from place_search.models import Model, Recall
from place_search.search.probability import Verdict

SCENES = 4


@pytest.fixture(scope="module")
def measured(
    tmp_path_factory: pytest.TempPathFactory,
    draw: Callable[..., None],
    model: Model,
    write_mat: Callable[..., Path],
) -> tuple[GroundTruth, EvalReport]:
    """Four places; query 1 is said to be at place 2, query 3 cannot be read, 4 is nowhere."""
    root = tmp_path_factory.mktemp("town")
    for scene in range(SCENES):
        draw(root / f"a <b> & {scene}.jpg", scene)
        draw(root / "queries" / f"{scene}.jpg", scene, shift=16)
    (root / "queries" / "3.jpg").write_bytes(b"not a photo")
    draw(root / "queries" / "4.jpg", 0)
    spots = {f"a <b> & {scene}.jpg": (100.0 * scene, 50.0 * scene) for scene in range(SCENES)}
    asked = {f"{scene}.jpg": (100.0 * scene, 50.0 * scene + 9) for scene in range(SCENES)}
    asked |= {"1.jpg": (200.0, 100.0), "4.jpg": (9000.0, 0.0)}
    truth = read_split_truth(write_mat(root / "town_test.mat", spots, asked), root)
    figures = [Recall("Town-test", "published", {"1": 84.1, "10": 95.5}, "Table 1")]
    return truth, replace(evaluate(truth, model, ks=[1, 2]), published=figures)


@pytest.fixture(scope="module")
def folder(
    measured: tuple[GroundTruth, EvalReport], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("out") / "report"
    assert write_report(*measured, out) == out / "index.html"
    return out


def test_the_files_of_a_report(
    folder: Path, measured: tuple[GroundTruth, EvalReport], model: Model
) -> None:
    _, report = measured
    assert sorted(path.name for path in folder.iterdir()) == [
        *("index.html", "queries.csv", "recall.csv", "recall.md", "recall.svg", "report.json")
    ]
    body = json.loads((folder / "report.json").read_text("utf-8"))
    assert body["recall"] == report.to_dict()["recall"]
    assert (body["truth"], body["radius_m"], body["queries"]) == ("town_test", 25.0, 5)
    assert list(body["curve"]["recall"]) == ["1", "2", "3", "4"]
    assert body["published"][0]["at"]["1"] == 84.1
    assert (body["version"], body["precision"]) == (program_version(), "f32")
    assert body["settings"] == {
        "at": [1, 2],
        "radius_m": 25.0,
        "dims": model.card.dims,
        "verify": False,
        "candidates": None,
        "index": None,
        "standardize": False,
        "sequence": None,
    }
    assert body["model_fingerprint"] == model.fingerprint
    assert abs(datetime.fromisoformat(body["date"]) - datetime.now(UTC)) < timedelta(hours=1)
    table = list(csv.reader((folder / "recall.csv").read_text("utf-8").splitlines()))
    assert table[0] == ["N", "Recall@N %", "chance %", "published % (Table 1)"]
    assert table[1] == ["1", f"{report.recall[1]:.1f}", f"{report.chance[1]:.1f}", "84.1"]
    assert table[2][3] == ""
    text = (folder / "recall.md").read_text("utf-8")
    assert "all 5 queries, 1 of them without positives, against 4 database photos" in text
    assert f"| 1 | {report.recall[1]:.1f} |" in text
    page = (folder / "index.html").read_text("utf-8")
    measured_how = page.partition("How it was measured")[2].partition("</details>")[0]
    for fact in (body["version"], body["date"], model.fingerprint, "f32", "25 m", "raw"):
        assert fact in measured_how
        assert fact in text
    ET.parse(folder / "recall.svg")


@pytest.mark.parametrize("protocol", ["raw", "truth-csv", "leave-one-out", "loop-closure:3"])
def test_what_is_right_is_said_of_the_truth_not_of_the_protocol(
    measured: tuple[GroundTruth, EvalReport], protocol: str
) -> None:
    truth, report = measured
    everything = replace(truth, queries=truth.database, positives=(np.array([], int),) * SCENES)
    rules = open_protocol(everything, protocol)
    for radius, right in (
        (12.5, "A right photo is within 12.5 m."),
        (None, "Right photos are those that the truth lists."),
    ):
        described = replace(
            report, description=rules.description, settings={**report.settings, "radius_m": radius}
        )
        first, _ = introduction(described)
        assert first.endswith(f"{rules.description}. {right}")
        assert "right" not in rules.description


@pytest.mark.parametrize("kind", ["unverified", "single"])
def test_the_tables_have_what_queries_reach_otherwise(
    measured: tuple[GroundTruth, EvalReport], tmp_path: Path, kind: str
) -> None:
    truth, report = measured
    measured_too: dict[str, Any] = {kind: {1: 12.5, 2: 37.5}}
    other = replace(report, **measured_too)
    assert list(other.to_columns()) == ["n", "recall", kind, "chance"]
    assert other.to_columns()[kind] == [12.5, 37.5]
    page = write_report(truth, other, tmp_path / "report").read_text("utf-8")
    table = list(csv.reader((tmp_path / "report" / "recall.csv").read_text().splitlines()))
    assert table[0][1:4] == ["Recall@N %", f"{kind} %", "chance %"]
    assert [row[2] for row in table[1:]] == ["12.5", "37.5"]
    assert f"| Recall@N % | {kind} % | chance %" in (tmp_path / "report" / "recall.md").read_text()
    assert f">{kind} %</span></th>" in page


def test_every_query_has_its_line(folder: Path) -> None:
    rows = list(csv.DictReader((folder / "queries.csv").read_text("utf-8").splitlines()))
    assert [row["query"] for row in rows] == [f"queries/{scene}.jpg" for scene in range(5)]
    first, wrong, _, unreadable, nowhere = rows
    assert (first["first_result"], first["first_right"]) == ("a <b> & 0.jpg", "1")
    assert (first["error_m"], first["positives"]) == ("9.0", "1")
    assert wrong["first_result"] == "a <b> & 1.jpg"
    assert float(wrong["error_m"]) == pytest.approx(np.hypot(100, 50), abs=0.1)
    assert int(wrong["first_right"]) > 1
    assert (unreadable["first_result"], unreadable["error_m"]) == ("", "")
    assert (nowhere["positives"], nowhere["first_right"]) == ("0", "")


def test_what_the_data_is_called_is_text(
    measured: tuple[GroundTruth, EvalReport], tmp_path: Path
) -> None:
    truth, report = measured
    named = replace(report, model="<script>alert(1)</script>", warnings=["R@1 < 5 & <i>"])
    page = write_report(replace(truth, name='"><img src=x>'), named, tmp_path).read_text("utf-8")
    assert page.count("<script>") == 2
    assert "&lt;script&gt;alert(1)&lt;/script&gt; on &#34;&gt;&lt;img src=x&gt;" in page
    assert "R@1 &lt; 5 &amp; &lt;i&gt;" in page
    assert "<b> &" not in page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(params=[1280, 390])
def page(browser: Browser, folder: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page on a desktop and on a phone; it must ask for nothing and complain of nothing."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": request.param, "height": 800})
    opened = context.new_page()
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "request",
        lambda asked: (
            None if asked.url.startswith(("data:", "file:")) else complaints.append(asked.url)
        ),
    )
    opened.goto(f"file://{folder}/index.html")
    yield opened
    context.close()
    assert complaints == []


def test_the_page_shows_right_and_wrong_in_words(page: Page) -> None:
    cards = page.locator("#cards > article")
    assert cards.count() == 5
    said = [text.strip() for text in cards.locator("h3").all_inner_texts()]
    assert said[0] == said[2] == "Right"
    assert said[1].startswith("Wrong: the first right result is number ")
    assert said[3] == "Wrong: the query could not be read"
    assert said[4] == "Wrong: no photo in the database is right"
    first = cards.nth(0).locator("figure").nth(1)
    assert "1 · right" in first.inner_text()
    assert "a <b> & 0.jpg" in first.inner_text()
    assert "9 m away" in first.inner_text()
    # Photos are there, once each, and the broken one says so.
    page.wait_for_function("[...document.images].every((image) => image.naturalWidth > 0)")
    assert cards.nth(3).locator(".gone").inner_text() == "cannot be read"
    assert page.evaluate("PHOTOS.length") == SCENES + 5
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width == 0


def test_the_filter_leaves_only_wrong_ones(page: Page) -> None:
    visible = page.locator("#cards > article:visible")
    page.get_by_role("button", name="Only wrong (3)").click()
    assert visible.count() == 3
    assert page.get_by_role("button", name="Only wrong (3)").get_attribute("aria-pressed") == "true"
    # A link of the map to a hidden card brings it back.
    page.evaluate("location.hash = '#q0'")
    page.locator("#q0").wait_for(state="visible")
    assert visible.count() == 5


def test_the_map_shows_errors_in_metres(page: Page) -> None:
    drawing = page.locator(".error-map svg")
    titles = drawing.locator("title").all_text_contents()
    assert "queries/0.jpg: right, first result 9 m away" in titles
    assert "queries/1.jpg: wrong, first result 112 m away" in titles
    assert drawing.locator("line.way").count() == 2
    assert re.fullmatch(r"[125]0*,?0* m", drawing.locator("text").first.text_content() or "")
    words = page.locator("body").inner_text()
    assert "its first result, where it is known (4 of 5): 9 m at the median" in words


def test_a_truth_without_positions_has_no_map(
    tmp_path: Path, draw: Callable[..., None], model: Model
) -> None:
    for name in ("a", "q"):
        draw(tmp_path / f"{name}.jpg", 0)
    (tmp_path / "truth.csv").write_text("query,positives\nq.jpg,a.jpg\n")
    truth = read_truth_csv(tmp_path / "truth.csv", tmp_path)
    text = write_report(truth, evaluate(truth, model, ks=[1]), tmp_path / "out").read_text("utf-8")
    assert "There is no map: the truth has no positions." in text
    with pytest.raises(TruthError, match="cannot be written"):
        write_report(truth, evaluate(truth, model, ks=[1]), tmp_path / "a.jpg")


def test_of_many_queries_some_are_shown() -> None:
    def outcome(query: int, right: bool) -> QueryOutcome:
        return QueryOutcome(query, f"{query}", 1 if right else None, None, True, True)

    mixed = choose_shown([outcome(query, query % 10 > 0) for query in range(5000)])
    assert len(mixed) == SHOWN
    assert sum(not item.right for item in mixed) == SHOWN * 2 // 3
    assert [item.query for item in mixed] == sorted(item.query for item in mixed)
    assert len(choose_shown([outcome(query, True) for query in range(500)])) == SHOWN
    assert len(choose_shown([outcome(query, False) for query in range(500)])) == SHOWN
    assert len(choose_shown([outcome(0, False), outcome(1, True)])) == 2


def test_published_figures_are_found_by_the_name_of_the_data() -> None:
    figures = [Recall("pitts30k-test", "published", {"1": 84.1}), Recall("x", "measured", {})]
    assert find_published(figures, "pitts30k_test") == figures[:1]
    assert find_published(figures, "pitts250k_test") == []


def test_a_curve_of_one_point() -> None:
    ET.fromstring(draw_curve({1: 50.0}, {1: 10.0}))


def test_no_share_is_rounded_to_all_or_nothing() -> None:
    """A thousand queries of which four are wrong are not all right."""
    labels = re.compile(r">([^<>]+)<")
    drawn = draw_curve({1: 99.6}, {1: 0.4}, [Recall("x", "published", {"1": 99.7})])
    assert {"measured 99.6", "chance 0.4", "published 99.7"} <= set(labels.findall(drawn))
    both = draw_curves({"a": {1: 99.6}, "b": {1: 99.7}}, {1: 0.4})
    assert {"a 99.6", "b 99.7"} <= set(labels.findall(both))


def test_the_open_set_has_its_part(
    measured: tuple[GroundTruth, EvalReport], model: Model, tmp_path: Path
) -> None:
    truth, _ = measured
    report = evaluate(truth, model, ks=[1], open_set=True)
    assert report.open_set is not None
    assert (report.open_set.known, report.open_set.unknown) == (4, 1)
    page = write_report(truth, report, tmp_path / "report").read_text("utf-8")
    assert "4 queries of known places, 1 of others" in page
    assert "Wrong answers that looked surest" in page
    assert page.count('aria-label="Precision by recall"') == 1
    assert page.count('aria-label="Right answers by their probability"') == 1
    figures = json.loads((tmp_path / "report" / "report.json").read_bytes())["open_set"]
    assert set(figures) == {
        *("known", "unknown", "unanswered", "threshold", "auc", "precision", "recall"),
        "false_found",
        *("recall_at_precision_99", "recall_at_precision_100", "calibration_error"),
    }
    text = (tmp_path / "report" / "queries.csv").read_text("utf-8")
    columns = list(csv.DictReader(text.splitlines()))
    assert list(columns[0])[-3:] == ["positives", "probability", "verdict"]
    found = [float(row["probability"]) >= figures["threshold"] for row in columns]
    assert [row["verdict"] == "found" for row in columns] == found
    assert (columns[3]["probability"], columns[3]["verdict"]) == ("0.0", "not_found")
    right = [row["first_right"] == "1" for row in columns if row["verdict"] == "found"]
    assert figures["precision"] == pytest.approx(100 * sum(right) / len(right), abs=1e-3)
    closed = write_report(truth, replace(report, open_set=None), tmp_path / "closed")
    assert "Places that are not there" not in closed.read_text("utf-8")


def test_what_came_of_queries_of_places_that_are_not_there(
    measured: tuple[GroundTruth, EvalReport], model: Model, tmp_path: Path
) -> None:
    truth, closed = measured
    opened = evaluate(truth, model, ks=[1], open_set=True)
    assert opened.open_set is not None

    def headings(report: EvalReport) -> list[str]:
        page = write_report(truth, report, tmp_path / "report").read_text("utf-8")
        return re.findall(r"<h3><span[^>]*>([^<]*)</span></h3>", page.partition('id="cards"')[2])

    verdicts: tuple[Verdict, ...] = ("found", "unsure")
    sure, unsure = (
        replace(opened, open_set=replace(opened.open_set, verdicts=(verdict,) * 5))
        for verdict in verdicts
    )
    unread = "Wrong: the query could not be read"
    assert headings(sure)[3:] == [unread, "Wrong: no photo in the database is right"]
    rejected = "Right: no photo in the database shows this place, and none was called found"
    assert headings(unsure)[3:] == [unread, rejected]
    # As of a frame before which there are none.
    without = [*closed.ranked[:4], NOTHING]
    assert headings(replace(closed, ranked=without))[3:] == [
        unread,
        "Wrong: there was no photo to search among",
    ]


def test_each_sentence_has_the_same_values_in_all_languages() -> None:
    values = re.compile(r"\{(\w+)\}")
    for key, said in all_words().items():
        assert tuple(said) == LANGUAGES, key
        each = [sorted(values.findall(said[language])) for language in LANGUAGES]
        assert each[0] == each[1] == each[2], key
        assert re.search(r"[\u0900-\u097f]", said["hi"]), key
        assert not re.search(r"[\u0900-\u097f]", said["hi-Latn"]), key


def test_each_protocol_is_described_as_it_describes_itself() -> None:
    for name in part_names(PROTOCOLS):
        english = all_words()[f"of-{name}"]["en"]
        described = getattr(load_part(PROTOCOLS, name).PROTOCOL, "description", None)
        assert english == f"{described}." or "{gap}" in english
