"""Numbers of things in what commands print: one is one."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]
CheckFailure = Callable[..., str]


@pytest.mark.slow
def test_one_is_told_as_one(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    shutil.copy(photos / "places" / "1.jpg", tmp_path / "one")
    index, query = tmp_path / "index", photos / "queries" / "1.jpg"
    truth = tmp_path / "truth.csv"
    truth.write_text("query,positives\nqueries/1.jpg,places/1.jpg\n", "utf-8")
    judged = ("--truth", truth, "--root", photos)
    told = [
        run(*arguments)
        for arguments in (
            ("index", tmp_path / "one", "--out", index),
            ("verify", index),
            ("places", index, "--out", tmp_path / "places.csv"),
            ("search", index, tmp_path / "one", "--out", tmp_path / "answers.csv"),
            ("search", index, photos / "places" / "3.jpg"),
            ("track", index, tmp_path / "one", "--out", tmp_path / "track.csv"),
            ("pairs", index, query, "--out", tmp_path / "pairs.txt"),
            ("describe", query, "--out", tmp_path / "d.npy"),
            ("eval", *judged),
            ("doctor", *judged),
        )
    ]
    # The one photo that is searched is right, which the doctor calls a problem.
    assert [result.exit_code for result in told] == [0] * 9 + [1]
    for result in told:
        found = re.search(r"\b1 ((altered|database|more|matching) )?[a-z]+s\b(?!/)", result.output)
        assert found is None or found[0].endswith(" is"), result.output
    assert "Not at the only place of the index" in told[4].stdout
    assert "1 query, 1 database photo, model" in told[8].stdout


def test_calibrate_takes_one_index_at_a_time(
    run: Run, check_failure: CheckFailure, index: Path
) -> None:
    told = check_failure(run("calibrate", index, index))
    assert told.startswith(f"{index} is a folder where a CSV of pairs is needed")
