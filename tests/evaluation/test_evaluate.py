import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation import evaluate, read_truth_csv
from netvlad import Model

Draw = Callable[..., None]
SCENES = 8
KEYS = [
    "protocol",
    "model",
    "database",
    "queries",
    "queries_without_positives",
    "recall",
    "chance",
    "seconds",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, draw: Draw) -> Path:
    """Eight places, each with one query taken two steps to the side."""
    folder = tmp_path_factory.mktemp("scenes")
    for scene in range(SCENES):
        draw(folder / "places" / f"{scene}.jpg", scene)
        draw(folder / "queries" / f"{scene}.jpg", scene, shift=16)
    return folder


def write_truth(root: Path, name: str, turned: int = 0) -> Path:
    """Query i ↔ place i + turned."""
    path = root / name
    lines = [f"queries/{i}.jpg,places/{(i + turned) % SCENES}.jpg" for i in range(SCENES)]
    path.write_text("\n".join(["query,positives", *lines]))
    return path


def test_scenes_are_found_again(root: Path, model: Model) -> None:
    seen: list[tuple[int, int]] = []
    truth = read_truth_csv(write_truth(root, "truth.csv"), root)
    report = evaluate(truth, model, progress=lambda done, total: seen.append((done, total)))
    assert report.recall == {1: 100.0, 5: 100.0, 10: 100.0}
    assert report.chance[1] == pytest.approx(100 / SCENES)
    assert not report.warnings
    assert seen == [(done, 16) for done in range(1, 17)]

    printed = json.loads(json.dumps(report.to_json()))
    assert list(printed)[: len(KEYS)] == KEYS
    assert printed["model"] == "lite0-netvlad"
    assert (printed["database"], printed["queries"]) == (SCENES, SCENES)
    assert printed["recall"] == {"1": 100.0, "5": 100.0, "10": 100.0}
    assert printed["chance"]["1"] == 12.5
    assert set(printed["seconds"]) == {"embed", "search", "verify"}
    assert printed["seconds"]["embed"] > 0


def test_a_truth_out_of_step_is_called_chance_level(root: Path, model: Model) -> None:
    truth = read_truth_csv(write_truth(root, "shifted.csv", turned=1), root)
    report = evaluate(truth, model, at=[1])
    assert report.recall[1] == 0
    assert len(report.warnings) == 1
    assert "no better than the 12.5 % of a random ranking" in report.warnings[0]


def test_a_query_never_finds_itself(root: Path, model: Model) -> None:
    path = root / "itself.csv"
    path.write_text("query,positives\nplaces/0.jpg,queries/0.jpg\nplaces/1.jpg,places/0.jpg\n")
    report = evaluate(read_truth_csv(path, root, root), model, at=[1])
    # The photo itself would be first in both; without it, the other view of scene 0 is.
    assert report.recall[1] == 50.0
    assert report.database == 2 * SCENES
    assert report.chance[1] == pytest.approx(100 / (2 * SCENES - 1))


def test_queries_without_positives_stay_in_the_denominator(root: Path, model: Model) -> None:
    path = root / "without.csv"
    path.write_text("query,positives\nqueries/0.jpg,places/0.jpg\nqueries/1.jpg,\n")
    report = evaluate(read_truth_csv(path, root, root / "places"), model, at=[1, SCENES])
    assert report.queries_without_positives == 1
    assert report.recall == {1: 50.0, SCENES: 50.0}
    assert report.chance[SCENES] == 50.0


def test_unreadable_photos_are_listed_and_count_as_wrong(
    tmp_path: Path, draw: Draw, model: Model
) -> None:
    for name, scene in (("a", 0), ("b", 1), ("q0", 0), ("q1", 1)):
        draw(tmp_path / f"{name}.jpg", scene, shift=8 * name.startswith("q"))
    (tmp_path / "c.jpg").write_bytes(b"this is no photo")
    whole = (tmp_path / "q1.jpg").read_bytes()
    (tmp_path / "q1.jpg").write_bytes(whole[: len(whole) // 2])
    truth = tmp_path / "truth.csv"
    truth.write_text("query,positives\nq0.jpg,a.jpg;c.jpg\nq1.jpg,b.jpg\n")
    report = evaluate(read_truth_csv(truth, tmp_path), model, at=[1, 3])
    assert report.recall == {1: 50.0, 3: 50.0}
    assert [photo.name for photo in report.unreadable] == ["c.jpg", "q1.jpg"]
    assert all(photo.reason for photo in report.unreadable)
    assert "2 of the photos could not be read; 1 of them are queries" in report.warnings[0]
    assert report.to_json()["unreadable"][0]["name"] == "c.jpg"
