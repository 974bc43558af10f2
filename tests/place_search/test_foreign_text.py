"""Names of files, data sets and models are shown as they are, and obeyed by nobody."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import place_search
from place_search.core.text import printable, printable_json
from tests.processes import unmeasured

Run = Callable[..., Result]

HOSTILE = ("house [old].jpg", "old [/x].jpg", ":smile:.jpg", "a\x1b[31mb.jpg", "b\u202egpj.jpg")


def test_what_a_terminal_obeys_is_escaped_and_nothing_else() -> None:
    text = "Straße [x] :smile: 日本 1"
    assert printable(text) == text
    obeyed = "a\x1b[2J\r\n\t\x9b\u202e\u2028b"
    assert printable(obeyed) == r"a\x1b[2J\r\n\t\x9b\u202e\u2028b"
    told = printable_json(json.dumps([obeyed, "日本"], indent=2, ensure_ascii=False))
    assert json.loads(told) == [obeyed, "日本"]
    assert told.split("\n")[2] == '  "日本"'
    assert printable("".join(told.split("\n"))) == "".join(told.split("\n"))


@pytest.mark.slow
def test_a_table_of_places_is_data_and_what_is_printed_is_not(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "places").mkdir()
    names = ["a\x1b[31mb.jpg", "c\nd.jpg", "c\rd.jpg", "e\tf\x9bg.jpg", 'h"i,\u202ej.jpg']
    for number, name in enumerate(names):
        shutil.copy(photos / "places" / f"{number % 4}.jpg", tmp_path / "places" / name)
    made = run("index", tmp_path / "places", "--out", tmp_path / "index")
    assert r'h"i,\u202ej.jpg is the same file as a\x1b[31mb.jpg' in made.stderr
    for name in ("one", "two"):
        table = tmp_path / f"{name}.csv"
        assert run("places", tmp_path / "index", "--out", table).exit_code == 0
        with table.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert sorted(Path(row["path"]).name for row in rows) == sorted(names)
        again = run("index", table, "--out", tmp_path / "index")
        assert again.exit_code == 0, again.output
    for result in (made, again, run("search", tmp_path / "index", tmp_path / "places" / names[1])):
        for line in result.output.split("\n"):
            assert printable(line) == line


@pytest.fixture(scope="module")
def town(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("town [bold]")
    (root / "places").mkdir()
    (root / "places" / "old [").mkdir()
    (root / "places" / "broken [").mkdir()
    for number, name in enumerate(HOSTILE[:4]):
        shutil.copy(photos / "places" / f"{number}.jpg", root / "places" / name)
    shutil.copy(photos / "places" / "3.jpg", root / "places" / HOSTILE[4])
    (root / "places" / "broken [/b].jpg").write_bytes(b"\xff\xd8\xff nothing")
    positives = ";".join(f'"{name}"' for name in HOSTILE[:1]).replace('"', '""')
    (root / "truth.csv").write_text(f'query,positives\n{HOSTILE[1]},"{positives}"\n', "utf-8")
    return root


@pytest.mark.slow
def test_no_command_trips_over_names_or_obeys_them(run: Run, town: Path) -> None:
    index = town / "index [x]"
    shown = []
    for arguments in (
        ("index", town / "places", "--out", index),
        *(("search", index, town / "places" / name) for name in HOSTILE),
        ("verify", index),
        ("doctor", town / "places"),
        ("doctor", index),
        ("eval", "--truth", town / "truth.csv", "--root", town / "places"),
        ("compare", town / "places" / HOSTILE[0], town / "places" / HOSTILE[1]),
        ("remove", index, HOSTILE[3]),
        ("sync", index, town / "places"),
        ("search", index, town / "places" / "none [/x].jpg"),
        ("weights", "verify", "[/none]"),
    ):
        result = run(*arguments, env={"COLUMNS": "200"})
        assert result.exception is None or isinstance(result.exception, SystemExit), arguments
        assert "\x1b[31mb" not in result.output
        assert "\u202e" not in result.output
        shown.append(result.output)
    everything = "\n".join(shown)
    for name in ("house [old].jpg", "old [/x].jpg", ":smile:.jpg", r"a\x1b[31mb.jpg", "[/none]"):
        assert name in everything


def test_nothing_that_is_not_our_own_is_replaced(run: Run, town: Path, tmp_path: Path) -> None:
    photo = town / "places" / HOSTILE[0]
    (tmp_path / "index.html").write_text("mine")
    truth = ("--truth", town / "truth.csv", "--root", town / "places")
    refused = run("eval", *truth, "--report", tmp_path)
    assert refused.exit_code == 1
    assert "holds other files, such as 'index.html'" in refused.output
    for theirs in ("{}", "[1]", "mine"):  # other programs write files of this name, too
        (tmp_path / "report.json").write_text(theirs)
        assert run("eval", *truth, "--report", tmp_path).exit_code == 1
    assert (tmp_path / "index.html").read_text() == "mine"
    for _ in range(2):
        assert run("eval", *truth, "--report", tmp_path / "report").exit_code == 0
    for name in ("notes.npy", "notes.h5"):
        (tmp_path / name).write_text("mine")
        refused = run("describe", photo, "--out", tmp_path / name)
        assert "holds something else than descriptors" in refused.output
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
        for _ in range(2):
            assert run("describe", photo, "--out", tmp_path / name).exit_code == 0


def test_a_name_that_is_not_utf_8_costs_no_finished_work(run: Run, town: Path) -> None:
    odd = town / "x\udce9.jpg"
    shutil.copy(town / "places" / HOSTILE[0], odd)
    done = run("describe", odd, town / "places" / HOSTILE[0], "--out", town / "odd.h5")
    assert done.exit_code == 0, done.output


def test_a_locale_that_lacks_the_letters_of_names_is_told_of(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "घर").mkdir()
    shutil.copy(photos / "places" / "0.jpg", tmp_path / "घर" / "ए.jpg")
    place_search.index(tmp_path / "घर", tmp_path / "index")
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "place_search", "places", "index", "--out", "places.csv"],
        cwd=tmp_path,
        env={**unmeasured(), **locale},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    warned, refused = done.stderr.splitlines()
    assert "read as ascii here" in warned
    assert "cannot be a file's name here" in refused
    assert "PYTHONUTF8=1" in refused
