"""What the doctor finds in folders and lists: names, positions, and what is left out."""

import os
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from place_search.evaluation import TruthFiles, examine
from place_search.evaluation.doctor.check_sources import check_source, notes_on
from place_search.indexer import open_source
from tests.evaluation.conftest import kinds

Draw = Callable[..., None]


def test_what_a_folder_leaves_out_and_positions_that_are_lost(tmp_path: Path) -> None:
    for name, latitude in (("good.jpg", 48.0), ("lost.jpg", 97.0)):
        exif = Image.Exif()
        exif[0x8825] = {1: "N", 2: (latitude, 0.0, 0.0), 3: "E", 4: (11.0, 0.0, 0.0)}
        Image.linear_gradient("L").rotate(len(name)).save(tmp_path / name, exif=exif)
    (tmp_path / "film.mov").write_bytes(b"film")
    source = open_source(tmp_path)
    (finding,) = check_source(source)
    assert (finding.code, finding.count) == ("position-lost", 1)
    assert finding.example.startswith("lost.jpg (The photo's GPS position is out of range")
    assert notes_on(source) == [f"Left out of {tmp_path}, as no photos: 1 .mov file."]
    diagnosis = examine(TruthFiles(data=tmp_path), sample=0)
    assert finding in diagnosis.problems
    assert notes_on(source)[0] in diagnosis.notes


def test_positions_that_a_list_leaves_out_may_be_lost(tmp_path: Path, draw: Draw) -> None:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (97.0, 0.0, 0.0), 3: "E", 4: (11.0, 0.0, 0.0)}
    for name in ("listed.jpg", "blank.jpg", "zero.jpg"):
        Image.linear_gradient("L").rotate(len(name)).save(tmp_path / name, exif=exif)
    draw(tmp_path / "near.jpg", 1)
    listed = tmp_path / "places.csv"
    rows = ("listed.jpg,48.0,11.0", "blank.jpg,,", "zero.jpg,0,0", "near.jpg,48.0,11.0")
    listed.write_text("\n".join(["path,latitude,longitude", *rows]))
    lost = [
        problem
        for problem in examine(TruthFiles(data=listed), sample=0).problems
        if problem.code == "position-lost"
    ]
    assert [(problem.count, problem.example.partition(" ")[0]) for problem in lost] == [
        (2, "blank.jpg")
    ]


def test_names_whose_metres_are_degrees(tmp_path: Path, draw: Draw) -> None:
    for name in ("@113.51@34.20@.jpg", "@113.99@34.70@.jpg"):
        draw(tmp_path / name, 1)
    diagnosis = examine(TruthFiles(data=tmp_path), sample=0)
    assert kinds(diagnosis)["metres-look-like-degrees"] == 2


def test_names_that_an_index_cannot_keep(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "a.jpg", 1)
    draw(tmp_path / os.fsdecode(b"y\xe9.jpg"), 2)
    [problem] = examine(TruthFiles(data=tmp_path), sample=0).problems
    assert (problem.code, problem.count, problem.example) == ("unreadable", 1, r"y\xe9.jpg")
    assert "not UTF-8" in problem.remedy


def test_a_row_without_a_position_is_one_problem(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "a.jpg", 1)
    draw(tmp_path / "b.jpg", 2)
    listed = tmp_path / "zero.csv"
    listed.write_text("path,latitude,longitude\na.jpg,0,0\nb.jpg,55.7,13.2\n")
    diagnosis = examine(TruthFiles(data=listed), sample=0)
    assert "metres-look-like-degrees" not in kinds(diagnosis)
    told = f"1 row of {listed} with the position 0, 0, which counts as not known, the first is 'a"
    [problem] = [found for found in diagnosis.problems if found.code == "position-zero"]
    assert problem.remedy == f"{told}.jpg'."
    assert not any("0, 0" in note for note in diagnosis.notes)


def test_metres_and_degrees_at_odds_are_told_once(tmp_path: Path, draw: Draw) -> None:
    # The degrees of b.jpg are those of its metres, beyond the border of zone 33.
    for name in ("a.jpg", "b.jpg"):
        draw(tmp_path / name, 1)
    listed = tmp_path / "places.csv"
    rows = ("a.jpg,386570,6173971,33U,55.6992,13.1952", "b.jpg,689106,6173971,33U,55.67466,18.0074")
    listed.write_text("\n".join(["path,easting,northing,zone,latitude,longitude", *rows]))
    diagnosis = examine(TruthFiles(data=listed), sample=0)
    at_odds = [problem for problem in diagnosis.problems if problem.code == "position-disagrees"]
    assert [(problem.count, problem.example) for problem in at_odds] == [(1, "a.jpg")]
    assert not any("eastings and northings" in note for note in diagnosis.notes)


def test_swapped_metres_are_told_once(tmp_path: Path, draw: Draw) -> None:
    names = [f"{number}.jpg" for number in range(4)]
    for name in names:
        draw(tmp_path / name, 1)
    listed = tmp_path / "places.csv"
    metres = ["585042,4476938"] * 3 + ["4476938,585042"]
    rows = [f"{name},{pair}" for name, pair in zip(names, metres, strict=True)]
    listed.write_text("\n".join(["path,easting,northing", *rows]))
    problems = examine(TruthFiles(data=listed), sample=0).problems
    assert [problem.code for problem in problems].count("position-swapped") == 1


def test_swapped_metres_are_told_where_the_list_gives_no_truth(tmp_path: Path, draw: Draw) -> None:
    """Metres without a zone cannot be compared with the degrees of another photo."""
    metres = ["585042,4476938,,"] * 3 + ["4476938,585042,,", ",,40.44,-79.99"]
    for number in range(len(metres)):
        draw(tmp_path / f"{number}.jpg", 1)
    rows = [f"{number}.jpg,{row}" for number, row in enumerate(metres)]
    listed = tmp_path / "places.csv"
    listed.write_text("\n".join(["path,easting,northing,latitude,longitude", *rows]))
    problems = examine(TruthFiles(data=listed), sample=0).problems
    assert [problem.code for problem in problems].count("position-swapped") == 1
