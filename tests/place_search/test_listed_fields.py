"""Columns of a CSV list that say nothing of the photos become own fields of the places."""

import json
from pathlib import Path

import pytest

import place_search
from place_search.indexer import declare_fields, edit_place, open_index, parse_filter
from place_search.indexer.storage.edits import edits_file
from place_search.indexer.storage.manifest import read_manifest
from tests.place_search.conftest import Run, photo

COLUMNS = "path,latitude,longitude,name,Floor,open,seen,house,Street name,note,blank"
ROWS = (
    "0.jpg,48.0,11.5,Gate,3,TRUE,2024-05-31,007,Mill Lane,mine,",
    "1.jpg,48.1,11.5,,-1.5,false,2024-06-01,12b,Mill Lane,,",
    "2.jpg,48.2,11.5,,,,,,,,",
)
TYPES = {"floor": "number", "open": "boolean", "seen": "date", "house": "text"}
FIRST = {"floor": 3, "open": True, "seen": "2024-05-31", "house": "007"}


def write_list(folder: Path, *rows: str, columns: str = COLUMNS) -> Path:
    table = folder / "places.csv"
    table.write_text("\n".join([columns, *rows]), "utf-8")
    return table


@pytest.fixture
def town(tmp_path: Path) -> Path:
    for place in range(4):
        photo(place).save(tmp_path / f"{place}.jpg", quality=90)
    return tmp_path


def test_columns_become_fields_that_searches_are_narrowed_by(town: Path, run: Run) -> None:
    done = run("index", write_list(town, *ROWS), "--out", town / "index")
    assert done.exit_code == 0, done.stderr
    fields = "floor (number), open (boolean), seen (date), house (text)"
    assert f"Own fields from the list: {fields}; 2 places." in done.stderr
    assert "Left out: the column street name; an own field" in done.stderr
    index = open_index(town / "index")
    assert index.edits.fields == TYPES
    assert [dict(index.place(row).fields) for row in range(3)] == [
        FIRST,
        {"floor": -1.5, "open": False, "seen": "2024-06-01", "house": "12b"},
        {},
    ]
    # Neither a note nor a blank column is a field.
    assert index.place(0).note == ""
    wanted = parse_filter(index.edits, field=["floor:gt:0"])
    assert index.matching(wanted).tolist() == [0]
    listed = run("fields", town / "index", "--json")
    assert json.loads(listed.stdout) == TYPES


@pytest.mark.slow
def test_what_people_have_said_stays_and_new_places_get_theirs(town: Path, run: Run) -> None:
    index = town / "index"
    place_search.index(write_list(town, *ROWS[:2]), index)
    edit_place(index, 0, {"fields": {"floor": 9, "open": None}})
    place_search.add(index, write_list(town, *ROWS, "3.jpg,48.3,11.5,,4,,,,,,"))
    opened = open_index(index)
    assert dict(opened.place(0).fields) == {**FIRST, "floor": 9}
    assert dict(opened.place(3).fields) == {"floor": 4}
    before = read_manifest(index)
    again = run("add", index, town / "places.csv")
    assert (again.exit_code, again.stdout.partition(":")[0]) == (0, "nothing to do")
    assert edits_file(read_manifest(index).files) == edits_file(before.files)
    # Also in an index that is made again.
    place_search.index(town / "places.csv", index)
    assert dict(open_index(index).place(0).fields) == {**FIRST, "floor": 9}
    table = write_list(town, "0.jpg,48.0,11.5,red", columns="path,latitude,longitude,colour")
    assert run("add", index, table).stdout.startswith("own fields of 1 place: 4 places in ")


def test_a_value_that_does_not_fit_is_told_before_any_work(town: Path, run: Run) -> None:
    index = town / "index"
    place_search.index(write_list(town, *ROWS[:2]), index)
    columns = "path,latitude,longitude,floor"
    refused = run("add", index, write_list(town, "3.jpg,48.3,11.5,third", columns=columns))
    assert refused.exit_code == 1
    assert 'places.csv, row 2: The field floor takes a number, not "third".' in refused.stderr
    assert len(open_index(index)) == 2


def test_a_declared_field_keeps_its_type(town: Path, run: Run) -> None:
    index = town / "index"
    columns = "path,latitude,longitude"
    place_search.index(write_list(town, "0.jpg,48.0,11.5", columns=columns), index)
    assert edits_file(read_manifest(index).files) == ""
    declare_fields(index, {"house": "text"})
    place_search.add(index, write_list(town, "1.jpg,48.1,11.5,12", columns=f"{columns},house"))
    assert dict(open_index(index).place(1).fields) == {"house": "12"}


def test_too_many_columns_are_refused(town: Path, run: Run) -> None:
    columns = [f"c{number}" for number in range(65)]
    row = ",".join(["0.jpg", "48", "11", *["1"] * 65])
    table = write_list(town, row, columns=f"path,latitude,longitude,{','.join(columns)}")
    refused = run("index", table, "--out", town / "index")
    assert refused.exit_code != 0
    assert "An index has at most 64 own fields" in refused.stderr
    assert not (town / "index").exists()
