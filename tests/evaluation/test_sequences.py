"""Sequences of queries in an evaluation."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from place_search.evaluation import (
    TruthError,
    TruthFiles,
    evaluate,
    evaluate_files,
    read_places_truth,
    read_truth_csv,
)
from place_search.evaluation.ranking import NOTHING, Ranked
from place_search.evaluation.report.tables import facts, recall_rows
from place_search.evaluation.sequences import (
    Located,
    QuerySimilarities,
    Window,
    query_routes,
    rank_sequences,
)
from place_search.models import Model
from place_search.search.tracks.routes import find_routes

Draw = Callable[..., None]
FRAMES = 12


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, draw: Draw) -> Path:
    """A walk of twelve places, and one back along it on which two frames show something else."""
    folder = tmp_path_factory.mktemp("walks")
    for place in range(FRAMES):
        draw(folder / "places" / f"{place:02d}.jpg", place)
        scene = {4: 90, 8: 1}.get(place, place)
        draw(folder / "queries" / f"{FRAMES - 1 - place:02d}.jpg", scene, shift=16)
    lines = [f"queries/{FRAMES - 1 - place:02d}.jpg,places/{place:02d}.jpg" for place in range(12)]
    (folder / "truth.csv").write_text("\n".join(["query,positives", *lines]))
    return folder


@pytest.mark.slow
def test_neighbours_correct_what_single_queries_get_wrong(
    root: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = read_truth_csv(root / "truth.csv", root)
    report = evaluate(truth, model, window=Window(4, 4))
    assert report.single is not None
    assert report.single[1] <= 100 * 10 / 12
    assert report.recall[1] == 100
    printed = report.to_dict()
    assert printed["single"]["1"] < printed["recall"]["1"]
    assert printed["settings"]["sequence"] == {"before": 4, "after": 4}
    assert all(len(np.unique(results.rows)) == FRAMES for results in report.ranked)
    # Similarities are those of a search, also of places that a query by itself does not list.
    alone = evaluate(truth, model, ks=[FRAMES]).ranked
    monkeypatch.setattr(sys.modules["place_search.evaluation.evaluate"], "CANDIDATES", 3)
    few = evaluate(truth, model, window=Window(4, 4))
    for ranked in (report.ranked, few.ranked):
        for results, known in zip(ranked, alone, strict=True):
            known_similarities = dict(zip(known.rows.tolist(), known.similarities, strict=True))
            expected = [known_similarities[row] for row in results.rows.tolist()]
            np.testing.assert_allclose(results.similarities, expected, atol=1e-5)


def test_columns_of_lists_give_the_order(tmp_path: Path) -> None:
    """As keys of photos in MSLS, whose digits say nothing."""
    listed = [("k7", "b", 20), ("a1", "a", 11), ("x9", "b", 21), ("a0", "a", 10), ("x8", "a", 12)]
    rows = [f"{key}.jpg,48,{11 + time / 1e5},{walk},{time}" for key, walk, time in listed]
    for key, *_ in listed:
        (tmp_path / f"{key}.jpg").touch()
    for name in ("places.csv", "asked.csv"):
        text = "\n".join(["path,latitude,longitude,sequence,time", *rows, "no.jpg,,,b,19"])
        (tmp_path / name).write_text(text)
    (tmp_path / "no.jpg").touch()
    truth = read_places_truth(tmp_path / "places.csv", tmp_path / "asked.csv")
    for routes, names in zip(query_routes(truth), (truth.queries, truth.database), strict=True):
        walks: dict[int, list[str]] = {}
        for row in np.argsort(routes.coordinate).tolist():
            walks.setdefault(int(routes.sequence[row]), []).append(Path(names[row]).stem)
        known = sorted([[key for key in walk if key != "no"] for walk in walks.values()])
        assert known == [["a0", "a1", "x8"], ["k7", "x9"]]
    assert len(truth.queries) == 5 < len(truth.database)


@pytest.mark.slow
def test_files_are_evaluated_by_past_frames_and_reported(
    root: Path, model: Model, tmp_path: Path
) -> None:
    truth = TruthFiles(truth=root / "truth.csv", root=root)
    report = evaluate_files(
        truth,
        model=model.card.id,
        precision="f32",
        sequence=5,
        causal=True,
        standardize=True,
        report_dir=tmp_path / "report",
    )
    assert report.settings["sequence"] == {"before": 5, "after": 0}
    head, rows = recall_rows(report)
    assert head[1:3] == ["Recall@N %", "single %"]
    assert all(len(row) == len(head) for row in rows)
    page = (tmp_path / "report" / "index.html").read_text()
    assert "each query with the 5 frames before it" in page
    # A film strip a query: itself and the two before it, each above its first result.
    films = page.split('<div class="film"')[1:]
    assert [film.count("Its first result") for film in films] == [*[3] * 10, 2, 1]
    assert all(film.count('<div class="now">') == 1 for film in films)
    # The query of row 5 is frame 6 of the walk back.
    at = [films[5].index(f"queries/{frame:02d}.jpg") for frame in (4, 5, 6)]
    assert at == sorted(at)
    told = dict(facts(read_truth_csv(root / "truth.csv", root), report))
    assert told["Standardised"] == "queries and database, each by itself"


@pytest.mark.slow
def test_standardising_is_for_single_queries_too(root: Path, model: Model) -> None:
    truth = read_truth_csv(root / "truth.csv", root)
    plain = evaluate(truth, model)
    standard = evaluate(truth, model, standardize=True)
    assert standard.single is None
    assert "single" not in standard.to_dict()
    assert standard.recall[1] >= plain.recall[1]
    for alone, told in zip(plain.ranked, standard.ranked, strict=True):
        usual = dict(zip(alone.rows.tolist(), alone.similarities.tolist(), strict=True))
        wanted = [usual[row] for row in told.rows.tolist()]
        assert told.similarities.tolist() == pytest.approx(wanted, abs=1e-6), "as a search tells"
    assert any(
        a.rows.tolist() != b.rows.tolist()
        for a, b in zip(plain.ranked, standard.ranked, strict=True)
    )


def test_photos_without_an_order_are_refused(tmp_path: Path, draw: Draw, model: Model) -> None:
    for scene, name in enumerate("abcd"):
        draw(tmp_path / "places" / f"{name}.jpg", scene)
        draw(tmp_path / "queries" / f"{name}.jpg", scene, shift=16)
    lines = [f"queries/{name}.jpg,places/{name}.jpg" for name in "abcd"]
    (tmp_path / "truth.csv").write_text("\n".join(["query,positives", *lines]))
    with pytest.raises(TruthError, match="are in no order"):
        evaluate(read_truth_csv(tmp_path / "truth.csv", tmp_path), model, window=Window(2, 2))


def test_a_query_that_cannot_be_read_finds_nothing_and_stops_no_sequence() -> None:
    count = 20
    names = [f"walk/{number:02d}.jpg" for number in range(count)]
    rng = np.random.default_rng(0)
    similarities = rng.normal(0, 0.1, (count, count)) + np.eye(count)
    ranked = []
    for query, row in enumerate(similarities):
        order = np.argsort(-row)
        ranked.append(NOTHING if query == 7 else Ranked(order, row[order].astype(np.float32)))
    known = QuerySimilarities(ranked, similarities.astype(np.float32), np.zeros(count, np.float32))
    routes = find_routes(names)
    found = rank_sequences(routes, routes, known, Window(3, 3), lambda _, rows: rows >= 0)
    assert len(found[7].rows) == 0
    assert [int(each.rows[0]) for at, each in enumerate(found) if at != 7] == [
        at for at in range(count) if at != 7
    ]
    assert min(each.probability for at, each in enumerate(found) if at != 7) > 0.9
    # None but frames far from where each is sure to be count: it is sure of none of them.
    found = rank_sequences(
        routes, routes, known, Window(3, 3), lambda query, rows: np.abs(rows - query) > 5
    )
    assert max(each.probability for each in found) < 0.1
    assert all(np.abs(each.rows - at).min(initial=count) > 5 for at, each in enumerate(found))


@pytest.mark.slow
def test_a_place_whose_photo_cannot_be_read_is_never_found(
    root: Path, model: Model, tmp_path: Path
) -> None:
    """Its neighbours on the route speak for it all the same."""
    shutil.copytree(root, tmp_path / "walks")
    (tmp_path / "walks" / "places" / "05.jpg").write_bytes(b"no photo")
    folder = tmp_path / "walks"
    report = evaluate(read_truth_csv(folder / "truth.csv", folder), model, window=Window(4, 4))
    assert [photo.name for photo in report.unreadable] == ["places/05.jpg"]
    [lost] = [row for row, right in enumerate(report.positives) if right.tolist() == [5]]
    assert not any(5 in results.rows for results in report.ranked)
    assert report.recall[10] == pytest.approx(100 * 11 / 12)
    assert report.ranked[lost].rows.size == FRAMES - 1


@pytest.mark.slow
def test_a_frame_is_compared_with_the_one_before_that_can_be_read(
    root: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(root, tmp_path / "walks")
    (tmp_path / "walks" / "queries" / "05.jpg").write_bytes(b"no photo")
    head, *lines = (root / "truth.csv").read_text().split("\n")
    seen: list[NDArray[np.float32]] = []

    def spy(queries: Any, database: Any, known: QuerySimilarities, *more: Any) -> list[Located]:
        seen.append(known.like_before[np.argsort(queries.coordinate)])
        return rank_sequences(queries, database, known, *more)

    module = sys.modules["place_search.evaluation.evaluate"]  # a function has its name
    monkeypatch.setattr(module, "rank_sequences", spy)
    without = [line for line in lines if not line.startswith("queries/05")]
    for listed in (lines, without):
        file = tmp_path / "truth.csv"
        file.write_text("\n".join([head, *listed]))
        truth = read_truth_csv(file, tmp_path / "walks", tmp_path / "walks" / "places")
        evaluate(truth, model, window=Window(2, 2))
    broken, left_out = seen
    np.testing.assert_allclose(np.delete(broken, 5), left_out, atol=1e-6)


def test_sequences_are_not_verified(root: Path, model: Model) -> None:
    truth = TruthFiles(truth=root / "truth.csv", root=root)
    with pytest.raises(TruthError, match="without geometry: leave out --sequence or --verify"):
        evaluate_files(truth, model=model, sequence=2, verify=True)
