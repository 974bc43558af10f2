"""What the doctor finds, each on data that is sick in one way."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file

from place_search.core.settings import PRECISION
from place_search.evaluation import GroundTruth, TruthFiles, examine
from place_search.evaluation.doctor import examine as examine_module
from place_search.evaluation.doctor.check_files import check_duplicates, check_readable
from place_search.evaluation.doctor.check_model import check_centroids
from place_search.evaluation.doctor.check_positions import check_degrees, check_metres
from place_search.evaluation.doctor.plan import check_plan
from place_search.evaluation.doctor.sample import sample_truth
from place_search.evaluation.truth.kinds.split import read_split_truth
from place_search.indexer import build_index, open_source, read_manifest
from place_search.models import Model, ModelError
from tests.evaluation.conftest import kinds

Draw = Callable[..., None]
WriteMat = Callable[..., Path]
SCENES = 12


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, draw: Draw) -> Path:
    """Twelve places and a query of each."""
    folder = tmp_path_factory.mktemp("country") / "town"
    for scene in range(SCENES):
        draw(folder / "000" / f"{scene}.jpg", scene)
        draw(folder / "queries_real" / "000" / f"{scene}.jpg", scene, shift=16)
    return folder


def write_split(write_mat: WriteMat, path: Path, turned: int = 0) -> Path:
    """Places 100 m apart; query i is at place i + turned."""
    spots = [(585000.0 + 100 * scene, 4477000.0) for scene in range(SCENES)]
    database = {f"000/{scene}.jpg": spot for scene, spot in enumerate(spots)}
    queries = {f"000/{scene}.jpg": spots[(scene + turned) % SCENES] for scene in range(SCENES)}
    return write_mat(path, database, queries)


@pytest.mark.slow
def test_a_healthy_split_has_no_problems(root: Path, tmp_path: Path, write_mat: WriteMat) -> None:
    file = write_split(write_mat, tmp_path / "pitts30k_test.mat")
    diagnosis = examine(TruthFiles(split=file, root=root))
    assert diagnosis.problems == ()
    assert diagnosis.notes == ()
    body = json.loads(json.dumps(diagnosis.to_dict()))
    assert list(body)[:9] == [
        *("protocol", "model", "database", "queries", "queries_without_positives"),
        *("recall", "chance", "seconds", "problems"),
    ]
    assert (body["protocol"], body["model"]) == ("raw", "lite0-netvlad-1024")
    assert (body["database"], body["queries"]) == (SCENES, SCENES)
    assert body["recall"] is None
    assert body["chance"]["1"] == pytest.approx(100 / SCENES, abs=0.01)
    assert body["sample"]["recall"]["1"] == 100.0
    assert set(body["seconds"]) == {"embed", "search", "verify"}
    assert body["plan"]["photos"] == 2 * SCENES
    assert body["plan"]["disk_bytes"]["eval"] == 2 * SCENES * 1024 * 4


@pytest.mark.slow
def test_photos_and_truth_out_of_step(root: Path, tmp_path: Path, write_mat: WriteMat) -> None:
    file = write_split(write_mat, tmp_path / "turned.mat", turned=3)
    diagnosis = examine(TruthFiles(split=file, root=root))
    assert kinds(diagnosis) == {"out-of-step": SCENES}
    assert "compare some queries with their positives by eye" in diagnosis.problems[0].remedy


@pytest.mark.parametrize(
    ("given", "hint"),
    [("empty", "get the data set's photos"), ("none", "get the data set's photos")],
)
@pytest.mark.slow
def test_every_file_missing(given: str, hint: str, tmp_path: Path, write_mat: WriteMat) -> None:
    (tmp_path / "empty").mkdir()
    file = write_split(write_mat, tmp_path / "s.mat")
    diagnosis = examine(TruthFiles(split=file, root=tmp_path / given), sample=0)
    assert kinds(diagnosis) == {"missing": 2 * SCENES}
    assert diagnosis.problems[0].example == "000/0.jpg"
    assert f"{SCENES} of {SCENES} database photos and {SCENES} of {SCENES} queries" in (
        diagnosis.problems[0].remedy
    )
    assert hint in diagnosis.problems[0].remedy
    assert diagnosis.plan is not None
    assert diagnosis.sample is None


def test_photos_in_another_place_are_pointed_at(
    root: Path, tmp_path: Path, write_mat: WriteMat
) -> None:
    file = write_split(write_mat, tmp_path / "s.mat")
    above = examine(TruthFiles(split=file, root=root.parent), model="none", sample=0)
    assert f"use --root {root}." in above.problems[1].remedy
    below = examine(TruthFiles(split=file, root=root / "000"), model="none", sample=0)
    assert "mend --root, --queries-dir or the list" in below.problems[1].remedy
    assert [problem.code for problem in below.problems] == ["model", "missing"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.jpg").touch()
    other = examine(TruthFiles(split=file, root=tmp_path / "other"), model="none", sample=0)
    assert (
        "1 photo there, such as 'x.jpg', would be left out: this may be another data set, so "
        in (other.problems[1].remedy)
    )


def test_copies_and_broken_photos(root: Path, tmp_path: Path, write_mat: WriteMat) -> None:
    photos = tmp_path / "photos"
    file = write_mat(
        tmp_path / "s.mat",
        {"a.jpg": (0, 0), "b.jpg": (9, 0), "c.jpg": (5000, 0)},
        {"q.jpg": (0, 0), "far.jpg": (999, 0)},
    )
    (photos / "queries").mkdir(parents=True)
    whole = (root / "000" / "0.jpg").read_bytes()
    for name in ("a.jpg", "queries/q.jpg"):
        (photos / name).write_bytes(whole)
    (photos / "b.jpg").write_bytes(whole[: len(whole) // 2])
    for name, scene in (("c.jpg", 1), ("queries/far.jpg", 2)):
        (photos / name).write_bytes((root / "000" / f"{scene}.jpg").read_bytes())
    diagnosis = examine(TruthFiles(split=file, root=photos), model="none", sample=0)
    found = {problem.code: problem for problem in diagnosis.problems}
    assert set(found) == {"model", "unreadable", "duplicate-photos"}
    assert found["duplicate-photos"].example == "queries/q.jpg = a.jpg"
    assert "b.jpg" in found["unreadable"].example
    assert diagnosis.notes == ("Queries without positives, which are always wrong: 1.",)
    nobody = examine(
        TruthFiles(split=file, root=photos, queries_dir="queries", radius_m=0.0001),
        model="none",
        protocol="timestamp",
        sample=0,
    )
    assert "protocol" in kinds(nobody)


def test_a_truth_file_with_missing_photos(root: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text("query,positives\nqueries_real/000/1.jpg,000/1.jpg;000/99.jpg\ngone.jpg,\n")
    diagnosis = examine(TruthFiles(truth=truth, root=root), model="none", sample=0)
    assert kinds(diagnosis) == {"model": 1, "missing": 2}
    assert (diagnosis.database, diagnosis.queries) == (2, 2)
    truth.write_text("query,positives\nqueries_real/000/1.jpg,000/1.jpg\n")
    part = examine(TruthFiles(truth=truth, root=root), model="none", sample=0)
    assert list(part.notes) == [
        f"Photos under {root} that are not in truth, and are left out: {2 * SCENES - 2}, such as "
        "000/0.jpg."
    ]
    truth.write_text("query,positives\nqueries_real/000/1.jpg,../../x.jpg\n")
    broken = examine(TruthFiles(truth=truth, root=root), model="none", sample=0)
    assert kinds(broken) == {"model": 1, "truth": 1}


def test_what_a_protocol_warns_of_is_noted(root: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text("query,positives\nqueries_real/000/1.jpg,000/1.jpg\n")
    files = TruthFiles(truth=truth, root=root)
    for protocol, says in (
        ("loop-closure:0", "'1.jpg' is the file name of several frames"),
        ("tokyo-12", "1 of the 1 groups of 12 successive database photos are no 12 views"),
    ):
        notes = examine(files, model="none", sample=0, protocol=protocol).notes
        assert any(note.startswith(says) for note in notes)


def test_photos_without_a_truth(root: Path) -> None:
    diagnosis = examine(TruthFiles(data=root / "000"), model="none", sample=0)
    assert kinds(diagnosis) == {"model": 1}
    assert (diagnosis.database, diagnosis.queries, diagnosis.chance) == (SCENES, 0, None)
    assert "can be indexed and searched, not evaluated" in diagnosis.notes[0]
    nothing = examine(TruthFiles(data=root / "nowhere"), model="none", sample=0)
    assert kinds(nothing) == {"data": 1, "model": 1}


@pytest.mark.slow
def test_an_index(root: Path, tmp_path: Path, model: Model, write_mat: WriteMat) -> None:
    photos = tmp_path / "photos"
    for scene in range(4):
        (photos / "000").mkdir(parents=True, exist_ok=True)
        (photos / "000" / f"{scene}.jpg").write_bytes((root / "000" / f"{scene}.jpg").read_bytes())
    build_index(open_source(photos), tmp_path / "index", model)
    file = write_split(write_mat, tmp_path / "s.mat")
    diagnosis = examine(TruthFiles(split=file, root=root), index=tmp_path / "index", sample=0)
    assert kinds(diagnosis) == {"not-in-index": SCENES - 4}
    shutil.copyfile(root / "000" / "0.jpg", photos / "000" / "1.jpg")
    build_index(open_source(photos), tmp_path / "of_others", model)
    diagnosis = examine(TruthFiles(split=file, root=root), index=tmp_path / "of_others", sample=0)
    assert kinds(diagnosis) == {"not-in-index": SCENES - 4, "other-in-index": 1}
    (photos / "000" / "3.jpg").unlink()
    alone = examine(TruthFiles(), index=tmp_path / "index")
    assert kinds(alone) == {"missing": 1}
    assert (alone.database, alone.model) == (4, "lite0-netvlad-1024")
    manifest = read_manifest(tmp_path / "index")
    other = {**manifest.model, "fingerprint": "0" * 32}
    replace(manifest, model=other).write(tmp_path / "index")
    assert "model-disagrees" in kinds(examine(TruthFiles(), index=tmp_path / "index"))
    (tmp_path / "index" / "descriptors.h5").write_bytes(b"")
    assert kinds(examine(TruthFiles(), index=tmp_path / "index"))["index"] == 1


SPOTS = np.array([(585000.0 + row, 4477000.0 - row) for row in range(8)])
NAMES = [f"{row}.jpg" for row in range(8)]


def metre_kinds(metres: NDArray[np.float64], places: int = 5) -> dict[str, int]:
    found = check_metres(NAMES, metres, places=places)
    return {problem.code: problem.count for problem in found}


def test_eastings_and_northings() -> None:
    assert metre_kinds(SPOTS) == {}
    assert metre_kinds(SPOTS[:, ::-1]) == {"position-swapped": 8}
    asked = SPOTS.copy()
    asked[5:] = asked[5:, ::-1]
    assert metre_kinds(asked) == {"position-swapped": 3}
    beyond = SPOTS.copy()
    beyond[2] = (5e7, 4477000)
    beyond[3] = np.nan
    assert metre_kinds(beyond) == {"position-out-of-range": 1}
    endless = SPOTS.copy()
    endless[1, 0] = np.inf
    assert metre_kinds(endless) == {"position-not-finite": 1}
    # Metres of somebody's own map.
    assert metre_kinds(SPOTS - SPOTS[0]) == {}
    assert check_metres(NAMES, np.zeros((8, 3)), places=8) == []


def test_latitudes_and_longitudes() -> None:
    def found(*rows: tuple[float, float]) -> dict[str, int]:
        near = [(35.66 + row / 100, 139.7) for row in range(5)]
        table = np.array([*near, *rows])
        names = [f"{row}.jpg" for row in range(len(table))]
        return {problem.code: problem.count for problem in check_degrees(names, table)}

    assert found() == {}
    assert found((np.nan, np.nan)) == {}
    assert found((139.7, 35.66), (139.8, 35.6)) == {"position-swapped": 2}
    assert found((95.0, 10.0)) == {"position-swapped": 1}
    assert found((95.0, 200.0)) == {"position-out-of-range": 1}
    assert found((0.0, 0.0)) == {"position-zero": 1}
    # Both in range: diagnosis from where most are.
    munich = np.array([(48.1, 11.5)] * 5 + [(11.5, 48.1)])
    problems = check_degrees([str(row) for row in range(6)], munich)
    assert [(problem.code, problem.count) for problem in problems] == [("position-swapped", 1)]


def test_a_csv_with_positions_in_each_other_s_place(root: Path, tmp_path: Path) -> None:
    rows = [f"{root}/000/{scene}.jpg,139.{scene},35.6" for scene in range(3)]
    table = tmp_path / "places.csv"
    table.write_text("\n".join(["path,latitude,longitude", *rows]))
    diagnosis = examine(TruthFiles(data=table), model="none", sample=0)
    assert kinds(diagnosis) == {"position-swapped": 3, "model": 1}


@pytest.mark.parametrize(
    ("centroids", "kind"),
    [
        (np.zeros((4, 8)), "centroids-uninitialised"),
        (np.ones((4, 8)) / 8, "centroids-equal"),
        (np.full((4, 8), np.nan), "centroids-not-finite"),
        (np.random.default_rng(0).random((64, 512)), "centroids-uninitialised"),
        (np.random.default_rng(0).normal(0, 0.04, (64, 512)), None),
    ],
)
def test_centroids(tmp_path: Path, centroids: NDArray[Any], kind: str | None) -> None:
    tensors = {"pool.centroids": centroids.astype(np.float32), "x": np.zeros(3, np.float32)}
    save_file(tensors, tmp_path / "weights.safetensors")
    assert [problem.code for problem in check_centroids(tmp_path)] == ([kind] if kind else [])


def test_weights_that_are_none(tmp_path: Path) -> None:
    assert check_centroids(tmp_path) == []
    (tmp_path / "weights.safetensors").write_bytes(b"not tensors")
    assert [problem.code for problem in check_centroids(tmp_path)] == ["model"]


def test_a_machine_that_is_too_small() -> None:
    needs = {"index": 10**12, "eval": 5, "available": 10**9}
    enough = {"index": 1, "eval": 5, "available": 10**9}
    problems = check_plan({"memory_bytes": needs, "disk_bytes": enough})
    assert [problem.code for problem in problems] == ["not-enough-memory"]
    problems = check_plan({"memory_bytes": enough, "disk_bytes": needs})
    assert [problem.code for problem in problems] == ["not-enough-disk"]
    assert "1000 GB of disk needed, 1 GB free" in problems[0].remedy


def test_a_sample_keeps_what_is_right(tmp_path: Path, write_mat: WriteMat) -> None:
    truth = read_split_truth(write_split(write_mat, tmp_path / "s.mat"), tmp_path, lenient=True)
    assert sample_truth(truth, 3) is None
    present = [*truth.database[1:], *truth.queries[:6]]
    for name in present:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    truth = read_split_truth(tmp_path / "s.mat", tmp_path)
    part = sample_truth(truth, 3)
    assert part is not None
    assert len(part.queries) == 3
    assert set(part.queries) <= set(truth.queries[1:6])
    for query, rows in zip(part.queries, part.positives, strict=True):
        assert [part.database[row] for row in rows] == [query.removeprefix("queries_real/")]
    assert len(part.database) <= 6


@pytest.mark.slow
def test_photos_that_are_only_to_be_indexed_are_no_problem(draw: Draw, tmp_path: Path) -> None:
    for name, scene in (
        ("@585000@4477000@17@T@.jpg", 1),
        ("@585900@4477000@17@T@.jpg", 2),
        ("copy/@585900@4479000@17@T@.jpg", 2),
    ):
        draw(tmp_path / "far" / name, scene)
    far = examine(TruthFiles(data=tmp_path / "far"))
    assert far.problems == ()
    assert any("no photo shows the place of another" in note for note in far.notes)
    assert any("copies of others: 2, such as" in note for note in far.notes)
    for north in (1, 2, 3):
        draw(tmp_path / "near" / f"@585000@447700{north}@17@T@.jpg", north)
    near = examine(TruthFiles(data=tmp_path / "near"), model="none", sample=0)
    assert kinds(near) == {"model": 1}
    assert any("every photo shows the place of another" in note for note in near.notes)


@pytest.mark.slow
@pytest.mark.parametrize("count", [100, 3000])
def test_three_broken_photos_in_a_hundred_are_found(count: int, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.jpg", tmp_path / "broken.jpg"
    Image.new("RGB", (8, 8)).save(whole)
    broken.write_bytes(whole.read_bytes()[:80])
    random, found = np.random.default_rng(1), 0
    for _ in range(100):
        bad = set(random.permutation(count)[: 3 * count // 100].tolist())
        found += bool(check_readable([broken if n in bad else whole for n in range(count)]))
    assert found >= 95 - 2 * (count > 100)
    in_steps = [broken if row % 34 == 33 else whole for row in range(3000)]
    assert check_readable(in_steps)


def test_the_doctor_opens_the_precision_of_an_evaluation(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def opened(model: Path, **options: object) -> Model:
        asked.append(options["precision"])
        raise ModelError("not today")

    monkeypatch.setattr(examine_module, "open_model", opened)
    examine(TruthFiles(data=root / "000"), sample=0)
    examine(TruthFiles(data=root / "000"), sample=0, precision="f32")
    assert asked == [PRECISION.default, "f32"]


def test_photos_that_only_begin_alike_are_no_copies(tmp_path: Path) -> None:
    """Bitmaps of one camera have one size, and the same first rows at night."""
    pixels = np.zeros((240, 320, 3), np.uint8)
    for name, brightness in (("a", 90), ("b", 180), ("copy", 90)):
        pixels[:20] = brightness  # a bitmap begins with the lowest row
        Image.fromarray(pixels).save(tmp_path / f"{name}.bmp")
    names = ("b.bmp", "copy.bmp")
    truth = GroundTruth(tmp_path, ("a.bmp",), names, (np.array([0]),) * 2, name="night")
    [found] = check_duplicates(truth)
    assert (found.count, found.example) == (1, "copy.bmp = a.bmp")


def test_copies_are_found_behind_many_photos_of_equal_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("place_search.evaluation.doctor.check_files.HASHED", 2)
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(bytes([number] * 10))
    (tmp_path / "place.jpg").write_bytes(b"the same photo")
    (tmp_path / "query.jpg").write_bytes(b"the same photo")
    database = (*(f"{number}.jpg" for number in range(5)), "place.jpg")
    truth = GroundTruth(tmp_path, database, ("query.jpg",), (np.array([5]),), name="town")
    [found] = check_duplicates(truth)
    assert found.example == "query.jpg = place.jpg"
