import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from place_search.core.errors import WrongParameterError
from place_search.evaluation import (
    GeometryReranker,
    GroundTruth,
    IndexDatabase,
    TruthError,
    TruthFiles,
    evaluate,
    evaluate_files,
    read_split_truth,
    read_truth_csv,
)
from place_search.evaluation.doctor.check_files import check_duplicates
from place_search.evaluation.protocols.timestamp import TimestampProtocol
from place_search.evaluation.ranking import Ranked, rank
from place_search.indexer import Row, build_index, open_index, open_source
from place_search.models import Model, ModelError

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


@pytest.mark.slow
def test_scenes_are_found_again(root: Path, model: Model) -> None:
    seen: list[tuple[int, int]] = []
    truth = read_truth_csv(write_truth(root, "truth.csv"), root)
    report = evaluate(truth, model, progress=lambda _, done, total: seen.append((done, total)))
    assert report.recall == {1: 100.0, 5: 100.0, 10: 100.0}
    assert report.chance[1] == pytest.approx(100 / SCENES)
    assert not report.warnings
    assert seen == [(done, 16) for done in range(1, 17)]

    printed = json.loads(json.dumps(report.to_dict()))
    assert list(printed)[: len(KEYS)] == KEYS
    assert printed["model"] == "lite0-netvlad-1024"
    assert (printed["database"], printed["queries"]) == (SCENES, SCENES)
    assert printed["recall"] == {"1": 100.0, "5": 100.0, "10": 100.0}
    assert printed["chance"]["1"] == 12.5
    assert set(printed["seconds"]) == {"embed", "search", "verify"}
    assert printed["seconds"]["embed"] > 0


@pytest.mark.slow
def test_a_truth_out_of_step_is_called_chance_level(root: Path, model: Model) -> None:
    truth = read_truth_csv(write_truth(root, "shifted.csv", turned=1), root)
    report = evaluate(truth, model, ks=[1])
    assert report.recall[1] == 0
    assert len(report.warnings) == 1
    assert "no better than the 12.5 % of a random ranking" in report.warnings[0]


@pytest.mark.slow
def test_a_query_never_finds_itself(root: Path, model: Model) -> None:
    path = root / "itself.csv"
    path.write_text("query,positives\nplaces/0.jpg,queries/0.jpg\nplaces/1.jpg,places/0.jpg\n")
    report = evaluate(read_truth_csv(path, root, root), model, ks=[1])
    # The photo itself would be first in both; without it, the other view of scene 0 is.
    assert report.recall[1] == 50.0
    assert report.database == 2 * SCENES
    assert report.chance[1] == pytest.approx(100 / (2 * SCENES - 1))


@pytest.mark.slow
def test_a_query_finds_itself_at_none_of_its_rows(root: Path, model: Model) -> None:
    path = root / "twice.csv"
    path.write_text("query,positives\nplaces/0.jpg,queries/0.jpg\nplaces/1.jpg,places/1.jpg\n")
    once = read_truth_csv(path, root, root)
    twice = replace(once, database=(*once.database, "places/0.jpg", "places/1.jpg"))
    report = evaluate(twice, model, ks=[1])
    assert report.recall == evaluate(once, model, ks=[1]).recall == {1: 50.0}
    assert report.queries_without_positives == 1
    names = [[twice.database[row] for row in found.rows.tolist()] for found in report.ranked]
    assert [query in found for query, found in zip(twice.queries, names, strict=True)] == [
        False
    ] * 2


@pytest.mark.slow
def test_a_query_never_finds_the_photo_that_it_is_a_link_to(
    root: Path, model: Model, tmp_path: Path
) -> None:
    queries, places = tmp_path / "queries", tmp_path / "places"
    places.symlink_to(root / "places")
    queries.mkdir()
    (queries / "q.jpg").symlink_to(root / "places" / "0.jpg")
    truth = GroundTruth(
        tmp_path, ("places/0.jpg", "places/1.jpg"), ("queries/q.jpg",), (np.array([0]),)
    )
    report = evaluate(truth, model, ks=[1])
    assert [found.rows.tolist() for found in report.ranked] == [[1]]
    assert (report.recall, report.queries_without_positives) == ({1: 0.0}, 1)
    assert check_duplicates(truth) == []


def test_queries_without_positives_stay_in_the_denominator(root: Path, model: Model) -> None:
    path = root / "without.csv"
    path.write_text("query,positives\nqueries/0.jpg,places/0.jpg\nqueries/1.jpg,\n")
    report = evaluate(read_truth_csv(path, root, root / "places"), model, ks=[1, SCENES])
    assert report.queries_without_positives == 1
    assert report.recall == {1: 50.0, SCENES: 50.0}
    assert report.chance[SCENES] == 50.0


@pytest.mark.slow
def test_a_photo_that_is_listed_twice_is_said(root: Path, model: Model) -> None:
    truth = read_truth_csv(write_truth(root, "truth.csv"), root)
    twice = replace(
        truth,
        queries=(*truth.queries, truth.queries[0]),
        positives=(*truth.positives, truth.positives[0]),
    )
    [told] = evaluate(twice, model, ks=[1]).warnings
    assert "truth lists 1 photos more than once, the first is 'queries/0.jpg'" in told


def test_where_no_place_is_known_it_is_measured_what_is_called_found(
    root: Path, model: Model
) -> None:
    path = root / "unknown.csv"
    path.write_text("query,positives\nqueries/0.jpg,\nqueries/1.jpg,\n")
    report = evaluate_files(
        TruthFiles(truth=path, root=root, database=root / "places"), model=model, open_set=True
    )
    assert report.open_set is not None
    told = report.open_set.to_dict()
    assert (told["known"], told["unknown"], told["recall"]) == (0, 2, None)
    assert told["false_found"] >= 0.0
    assert "No query has a right photo among those that are searched" in report.warnings[0]


@pytest.mark.slow
def test_a_gap_that_leaves_nothing_right_is_said(root: Path, model: Model) -> None:
    truth = read_truth_csv(write_truth(root, "truth.csv"), root)
    told = evaluate(truth, model, protocol="loop-closure:1000").warnings[-1]
    assert told == "No query has a right photo among those that are searched, so R@1 is 0 anyway."


@pytest.mark.slow
def test_a_drive_in_the_order_of_its_paths_is_told(root: Path, model: Model) -> None:
    truth = read_truth_csv(write_truth(root, "truth.csv"), root)
    [told] = evaluate(truth, model, protocol="loop-closure:1").warnings
    assert told.startswith("'0.jpg' is the file name of several frames")


def test_past_frames_alone_need_a_sequence(root: Path) -> None:
    with pytest.raises(WrongParameterError, match="--causal only works with --sequence"):
        evaluate_files(TruthFiles(data=root), causal=True)


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
    report = evaluate(read_truth_csv(truth, tmp_path), model, ks=[1, 3])
    assert report.recall == {1: 50.0, 3: 50.0}
    assert [photo.name for photo in report.unreadable] == ["c.jpg", "q1.jpg"]
    assert all(photo.reason for photo in report.unreadable)
    assert "2 of the photos could not be read; 1 of them are queries" in report.warnings[0]
    assert report.to_dict()["unreadable"][0]["name"] == "c.jpg"


@pytest.mark.slow
def test_descriptors_may_come_from_an_index(root: Path, model: Model, tmp_path: Path) -> None:
    truth = read_truth_csv(write_truth(root, "truth.csv"), root, root / "places")
    source = open_source(root / "places")
    build_index(source, tmp_path / "index", model, descriptor_type="float32")
    index = open_index(tmp_path / "index")
    seen: list[int] = []
    whole = evaluate(truth, model)
    # One query at a time.
    report = evaluate(
        truth,
        model,
        index=IndexDatabase(index, truth),
        progress=lambda _, done, total: seen.append(done),
        query_bytes=1,
    )
    assert len(seen) == SCENES
    assert report.recall == whole.recall
    for ours, theirs in zip(report.ranked, whole.ranked, strict=True):
        assert ours.rows.tolist() == theirs.rows.tolist()
        np.testing.assert_allclose(ours.similarities, theirs.similarities, atol=1e-5)
    among = root / "among.csv"
    among.write_text("query,positives\nplaces/0.jpg,places/3.jpg\nqueries/1.jpg,places/1.jpg\n")
    itself = read_truth_csv(among, root, root / "places")
    found = evaluate(itself, model, index=IndexDatabase(index, itself))
    assert 0 not in found.ranked[0].rows
    np.testing.assert_allclose(
        found.ranked[0].similarities, evaluate(itself, model).ranked[0].similarities, atol=1e-5
    )
    other = read_truth_csv(write_truth(root, "truth.csv"), root, root)
    with pytest.raises(TruthError, match="lacks 8 of the 16 database photos"):
        evaluate(other, model, index=IndexDatabase(index, other))


@pytest.mark.slow
def test_a_reranker_sees_every_photo_and_sets_the_order(root: Path, model: Model) -> None:
    class Backwards:
        depth = SCENES

        def __init__(self) -> None:
            self.seen: list[str] = []

        def see(self, name: str, photo: Row) -> None:
            assert photo.codes.dtype == np.uint8
            self.seen.append(name)

        def rerank(
            self, query: str, names: Sequence[str], similarities: Sequence[float]
        ) -> tuple[list[int], float]:
            assert query.startswith("queries/")
            assert list(similarities) == sorted(similarities, reverse=True)
            return list(range(len(names)))[::-1], 0.5

    truth = read_truth_csv(write_truth(root, "truth.csv"), root)
    backwards = Backwards()
    report = evaluate(truth, model, ks=[1, SCENES], reranker=backwards)
    assert backwards.seen == [*truth.database]
    assert report.recall == {1: 0.0, SCENES: 100.0}
    assert report.unverified == {1: 100.0, SCENES: 100.0}
    assert report.to_dict()["unverified"] == {"1": 100.0, str(SCENES): 100.0}


@pytest.mark.slow
def test_geometry_ranks_as_the_search_does(root: Path, model: Model) -> None:
    truth = read_truth_csv(write_truth(root, "truth.csv"), root)
    report = evaluate(truth, model, reranker=GeometryReranker(model, root))
    assert report.recall[1] == 100.0
    assert report.seconds["verify"] > 0


@pytest.mark.slow
def test_protocols_are_measured_end_to_end(
    tmp_path: Path,
    draw: Draw,
    model: Model,
    write_mat: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Photo 0 is the query's own visit, photo 1 the same scene later, the others elsewhere."""
    scenes = [0, 0, 1, 2, 3]
    for row, scene in enumerate(scenes):
        draw(tmp_path / f"{row}.jpg", scene, shift=8 * row)
    draw(tmp_path / "queries" / "q.jpg", 0)
    database = {f"{row}.jpg": (1000.0 * scene, 0.0) for row, scene in enumerate(scenes)}
    times = ([1, 2, 2, 2, 2], [1])
    file = write_mat(tmp_path / "split.mat", database, {"q.jpg": (0.0, 0.0)}, times=times)
    truth = read_split_truth(file, tmp_path)
    report = evaluate(truth, model, ks=[1, 4])
    assert report.protocol == "timestamp"
    assert report.ranked[0].rows.tolist()[0] == 1
    assert report.recall == {1: 100.0, 4: 100.0}
    assert report.chance == {1: 25.0, 4: 100.0}
    raw = evaluate(truth, model, ks=[1], protocol="raw")
    assert raw.ranked[0].rows.tolist()[0] == 0
    assert raw.chance == {1: 40.0}
    tokyo = evaluate(truth, model, ks=[1], protocol="tokyo-12")
    assert tokyo.ranked[0].rows.tolist() == [0]

    class FirstIsSure:
        depth = 4

        def see(self, name: str, photo: Row) -> None:
            pass

        def rerank(
            self, query: str, names: Sequence[str], similarities: Sequence[float]
        ) -> tuple[list[int], float]:
            return list(range(len(names))), 0.999 if names[0] == "0.jpg" else 0.2

    for protocol in ("timestamp", "raw"):
        sure = evaluate(truth, model, ks=[1], reranker=FirstIsSure(), protocol=protocol)
        assert sure.ranked[0].probability == {"timestamp": 0.2, "raw": 0.999}[protocol]
    monkeypatch.setattr(TimestampProtocol, "filters_candidates", False)
    late = evaluate(truth, model, ks=[1], reranker=FirstIsSure())
    assert late.ranked[0].rows[0] == 1
    assert late.ranked[0].probability == 0


def test_missing_photos_are_refused_before_the_work(
    tmp_path: Path, model: Model, write_mat: Callable[..., Path]
) -> None:
    file = write_mat(tmp_path / "s.mat", {"a.jpg": (0, 0)}, {"q.jpg": (0, 0)})
    with pytest.raises(TruthError, match="2 of the 2 photos of s are not under"):
        evaluate(read_split_truth(file, tmp_path), model)


@pytest.mark.slow
def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    root: Path, tmp_path: Path
) -> None:
    truth = TruthFiles(truth=write_truth(root, "refused.csv"), root=root)
    (tmp_path / "file").touch()
    for folder, why in (("file", "File exists"), ("file/report", "Not a directory")):
        with pytest.raises(TruthError, match=rf"report .* cannot be written \({why}\)"):
            evaluate_files(truth, model="none", report_dir=tmp_path / folder)
    with pytest.raises(ModelError, match="no model 'none'"):
        evaluate_files(truth, model="none", report_dir=tmp_path / "report")
    assert not list((tmp_path / "report").iterdir())


@pytest.mark.slow
def test_files_are_evaluated_in_one_call(root: Path, model: Model, tmp_path: Path) -> None:
    stages: set[str] = set()
    truth = write_truth(root, "once.csv")
    report = evaluate_files(
        TruthFiles(truth=truth, root=root),
        model=model.card.id,
        precision="f32",
        ks=(1, 5),
        verify=True,
        report_dir=tmp_path / "report",
        progress=lambda stage, done, total: stages.add(stage),
    )
    expected = evaluate(read_truth_csv(truth, root), model, ks=(1, 5))
    assert report.unverified == expected.recall
    assert stages == {"Describing"}
    body = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    assert body["recall"] == report.to_dict()["recall"]


@pytest.mark.slow
def test_a_loop_closure_holds_no_more_than_it_keeps(
    root: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [f"places/{scene}.jpg" for scene in range(SCENES)]
    rows = [f"{photo},{photos[(scene - 4) % SCENES]}" for scene, photo in enumerate(photos)]
    (root / "drive.csv").write_text("\n".join(["query,positives", *rows]))
    truth = read_truth_csv(root / "drive.csv", root, root / "places")
    known = evaluate(truth, model, ks=[1, 2], protocol="loop-closure:1").ranked
    held: list[int] = []

    def counting(*arguments: Any, **options: Any) -> list[Ranked]:
        found = rank(*arguments, **options)
        held.extend(len(results.rows) for results in found)
        return found

    module = import_module("place_search.evaluation.evaluate")
    monkeypatch.setattr(module, "rank", counting)
    monkeypatch.setattr(module, "MIN_RESULTS", 2)
    few = evaluate(truth, model, ks=[1, 2], protocol="loop-closure:1", query_bytes=1).ranked
    assert held == [0, 0, 1, 2, 2, 2, 2, 2]
    assert [each.rows.tolist() for each in few] == [each.rows[:2].tolist() for each in known]
