"""The places of an index as the database of a truth: which photo is which place."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from place_search.evaluation import (
    IndexDatabase,
    TruthError,
    TruthFiles,
    evaluate,
    evaluate_files,
    read_truth_csv,
)
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.indexer import build_index, edit_place, open_index, open_source
from place_search.models import Model, encode_grid

Draw = Callable[..., None]
SCENES = 3
GIVE_ANOTHER = "made from other photos than those of truth: at least {} of the 3 differ"


def draw_drive(root: Path, draw: Draw, first: int = 0) -> Path:
    """Photos of scenes from `first` on, by the same names whatever that is, and their truth."""
    lines = ["query,positives"]
    for scene in range(SCENES):
        draw(root / "db" / f"{scene}.jpg", first + scene)
        draw(root / "q" / f"{scene}.jpg", first + scene, shift=16)
        lines.append(f"q/{scene}.jpg,db/{scene}.jpg")
    (root / "truth.csv").write_text("\n".join(lines))
    return root


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory, draw: Draw) -> Path:
    return draw_drive(tmp_path_factory.mktemp("drive"), draw)


@pytest.fixture(scope="module")
def made(drive: Path, tmp_path_factory: pytest.TempPathFactory, model: Model) -> Path:
    """An index of the drive's own database, so that names are not paths under its root."""
    folder = tmp_path_factory.mktemp("made") / "index"
    build_index(open_source(drive / "db"), folder, model)
    return folder


def truth_of(root: Path) -> GroundTruth:
    return read_truth_csv(root / "truth.csv", root, root / "db")


def copy_of(drive: Path, to: Path, *, times: bool = False) -> Path:
    """The same photos elsewhere, as on another machine."""
    shutil.copytree(drive, to, copy_function=shutil.copy2 if times else shutil.copyfile)
    return to


@pytest.mark.slow
def test_photos_of_another_drive_by_the_same_names_are_refused(
    drive: Path, tmp_path: Path, draw: Draw, model: Model
) -> None:
    other = draw_drive(tmp_path / "other", draw, first=10)
    build_index(open_source(other), tmp_path / "index", model)
    places = IndexDatabase(open_index(tmp_path / "index"), truth_of(drive))
    assert places.changed == ["db/0.jpg", "db/1.jpg", "db/2.jpg"]
    with pytest.raises(TruthError, match=GIVE_ANOTHER.format(3)):
        evaluate(truth_of(drive), model, index=places)


def test_photos_that_moved_are_found_by_where_the_index_was_made(
    drive: Path, tmp_path: Path, model: Model
) -> None:
    source = copy_of(drive, tmp_path / "there")
    build_index(open_source(source), tmp_path / "index", model)
    index = open_index(tmp_path / "index")
    edit_place(tmp_path / "index", int(index.place_ids[0]), {"name": "the gate"})
    shutil.rmtree(source)
    places = IndexDatabase(open_index(tmp_path / "index"), truth_of(drive))
    assert (places.missing, places.changed) == ([], [])


@pytest.mark.parametrize("same_size", [False, True])
def test_a_photo_that_was_replaced_is_noticed(
    drive: Path, tmp_path: Path, draw: Draw, model: Model, *, same_size: bool
) -> None:
    root = copy_of(drive, tmp_path / "root")
    build_index(open_source(root / "db"), tmp_path / "index", model)
    replaced = root / "db" / "1.jpg"
    before = replaced.read_bytes()
    replaced.write_bytes(before[:-3] + b"abc" if same_size else before + b"a")
    places = IndexDatabase(open_index(tmp_path / "index"), truth_of(root))
    assert places.changed == ["db/1.jpg"]


def test_a_photo_that_was_only_touched_is_taken(drive: Path, tmp_path: Path, model: Model) -> None:
    root = copy_of(drive, tmp_path / "root")
    build_index(open_source(root / "db"), tmp_path / "index", model)
    os.utime(root / "db" / "1.jpg", (1, 1))
    assert IndexDatabase(open_index(tmp_path / "index"), truth_of(root)).changed == []


@pytest.mark.slow
def test_a_photo_that_is_listed_twice_counts_as_often_as_without_an_index(
    drive: Path, made: Path, model: Model
) -> None:
    truth = truth_of(drive)
    twice = replace(
        truth, database=(*truth.database, "db/1.jpg"), positives=(np.array([1, 3]),) * SCENES
    )
    with_index = evaluate(twice, model, index=IndexDatabase(open_index(made), twice))
    assert [sorted(found.rows.tolist()) for found in with_index.ranked] == [[0, 1, 2, 3]] * SCENES
    assert with_index.recall == evaluate(twice, model).recall


@pytest.mark.slow
def test_geometry_takes_the_features_of_the_same_place_as_the_descriptor(
    drive: Path, made: Path, tmp_path: Path
) -> None:
    """Names are below another root than the truth's, and two places bear each other's path."""
    index = tmp_path / "index"
    shutil.copytree(made, index)
    first, second = open_index(index).place_ids[:2].tolist()
    edit_place(index, first, {"name": "db/1.jpg"})
    edit_place(index, second, {"name": "db/0.jpg"})
    files = TruthFiles(truth=drive / "truth.csv", root=drive, database=drive / "db")
    report = evaluate_files(files, index=index, verify=True, open_set=True)
    assert report.recall[1] == 100.0
    assert report.ranked[0].probability > 0.9
    expected = evaluate_files(files, index=made, verify=True, open_set=True)
    assert [found.probability for found in report.ranked] == [
        found.probability for found in expected.ranked
    ]


def test_features_are_those_of_a_place_with_another_name(drive: Path, made: Path) -> None:
    index = open_index(made)
    places = IndexDatabase(index, truth_of(drive))
    codes = places.codes("db/2.jpg")
    assert codes is not None
    np.testing.assert_array_equal(codes[0], index.codes(int(index.place_ids[2]))[0])
    assert places.codes("q/2.jpg") is None


@pytest.mark.slow
def test_a_report_tells_from_which_index_it_is(drive: Path, made: Path, tmp_path: Path) -> None:
    """It rounds descriptors, so that the same photos may give other figures without it."""
    files = TruthFiles(truth=drive / "truth.csv", root=drive, database=drive / "db")
    settings = evaluate_files(files, index=made, report_dir=tmp_path / "report").settings
    index_id = open_index(made).index_id
    assert settings["index"] == {"id": index_id, "descriptor_type": "int8"}
    assert f"- Index: {index_id}, int8\n" in (tmp_path / "report" / "recall.md").read_text("utf-8")
    assert evaluate_files(files).settings["index"] is None


@pytest.mark.slow
def test_an_index_tells_the_size_of_its_photos(drive: Path, tmp_path: Path, model: Model) -> None:
    """Also where no photo is described, or where the index keeps less than the model gives."""
    (drive / "among.csv").write_text("query,positives\ndb/0.jpg,db/1.jpg\n")
    truth = read_truth_csv(drive / "among.csv", drive, drive / "db")
    queries = truth_of(drive)
    codes = encode_grid(model.embed(model.read(drive / "db" / "0.jpg")))[0].nbytes
    build_index(open_source(drive / "db"), tmp_path / "all", model)
    build_index(open_source(drive / "db"), tmp_path / "few", model, local_features=False)
    for name, expected in (("all", model.card.dims + codes), ("few", model.card.dims)):
        index = open_index(tmp_path / name)
        told = evaluate(truth, model, index=IndexDatabase(index, truth)).to_dict()
        assert (told["bytes_a_photo"], told["ms_a_photo"]) == (expected, None)
        told = evaluate(queries, model, index=IndexDatabase(index, queries)).to_dict()
        assert told["bytes_a_photo"] == expected
        assert told["ms_a_photo"] > 0


@pytest.mark.slow
def test_an_index_without_local_features_verifies_nothing(
    drive: Path, tmp_path: Path, model: Model
) -> None:
    index = tmp_path / "index"
    build_index(open_source(drive / "db"), index, model, local_features=False)
    files = TruthFiles(truth=drive / "truth.csv", root=drive, database=drive / "db")
    with pytest.raises(TruthError, match="keeps no local features for --verify to compare"):
        evaluate_files(files, index=index, verify=True)
    assert evaluate_files(files, index=index).recall[1] == 100.0
