"""`place-search search INDEX FOLDER --out FILE`: an answer to each photo, also after a kill."""

import csv
import fcntl
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import place_search
from place_search.core.progress import Progress, silent
from place_search.core.row_files import write_rows
from place_search.indexer import edit_place, open_index
from place_search.models import open_model
from place_search.search.engine import Engine
from place_search.search.folders.answer_files import AnswerCounts, journal_beside, write_answers
from place_search.search.folders.answers import Question
from place_search.search.folders.query_photos import open_queries
from tests.processes import unmeasured

Run = Callable[..., Result]
CheckFailure = Callable[..., str]

KILLED = """
import os, signal, sys
from pathlib import Path
from place_search.indexer import open_index
from place_search.models import open_model
from place_search.search.folders.answer_files import write_answers
from place_search.search.folders.answers import Question
from place_search.search.engine import Engine
from place_search.search.folders.query_photos import open_queries

def killed(stage, done, total):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)

index, photos, out = map(Path, sys.argv[1:])
engine = Engine(open_index(index), open_model(precision="auto"))
write_answers(engine, open_queries(photos), Question(2), out, progress=killed)
"""


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


@pytest.fixture(scope="module")
def engine(index: Path) -> Engine:
    return Engine(open_index(index), open_model(precision="auto"))


@pytest.fixture
def ask(engine: Engine, photos: Path) -> Callable[..., AnswerCounts]:
    """Searches for all photos, five that can be read and one that cannot, as KILLED does."""

    def write(out: Path, k: int = 2, **more: Any) -> AnswerCounts:
        return write_answers(engine, open_queries(photos / "places"), Question(k), out, **more)

    return write


def test_a_table_has_a_row_a_photo_with_its_position_or_why_it_has_none(
    run: Run, photos: Path, index: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results.csv"
    result = run("search", index, photos / "places", "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("5 photos: 3 found, ")
    assert result.stdout.endswith(f" 1 unreadable. Written to {out}.\n")
    rows = {row["photo"]: row for row in rows_of(out)}
    assert list(rows) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "half.jpg"]
    assert (rows["1.jpg"]["verdict"], rows["1.jpg"]["place"]) == ("found", "places/1.jpg")
    assert float(rows["1.jpg"]["latitude"]) == pytest.approx(48.001, abs=1e-4)
    assert float(rows["1.jpg"]["radius_m"]) >= 15
    assert rows["3.jpg"]["verdict"] in ("not_found", "unsure")
    assert rows["3.jpg"]["latitude"] == ""
    assert rows["half.jpg"]["verdict"] == "unreadable"
    assert "half.jpg" in rows["half.jpg"]["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


def test_lines_of_json_are_what_a_search_prints(
    run: Run, photos: Path, index: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results.jsonl"
    asked = photos / "queries"
    result = run("search", index, asked, "--k", "2", "--out", out, "--json")
    told = json.loads(result.stdout)
    verdicts = {"found": 2, "unsure": 0, "not_found": 0, "unreadable": []}
    assert told == {"photos": 2, **verdicts, "before": 0, "notes": {}, "out": str(out)}
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line.pop("photo") for line in lines] == ["1.jpg", "2.jpg"]
    single = json.loads(run("search", index, asked / "1.jpg", "--k", "2", "--json").stdout)
    for answer in (lines[0], single):
        answer.pop("timings_ms")
    assert lines[0] == single


def test_geojson_has_a_point_where_the_place_is_found(
    run: Run, photos: Path, index: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results.geojson"
    assert run("search", index, photos / "places", "--out", out, "--no-verify").exit_code == 0
    features = json.loads(out.read_text())["features"]
    points = {each["properties"]["photo"]: each["geometry"] for each in features}
    # Unverified, so the place's own position stands for that of the photo.
    assert points["2.jpg"] == {"type": "Point", "coordinates": [11.5, 48.002]}
    assert points["half.jpg"] is None
    assert "latitude" not in features[0]["properties"]


def test_parquet_is_read_by_its_own_reader(photos: Path, index: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "rows.parquet"
    columns: dict[str, type] = {"photo": str, "place_id": int, "latitude": float}
    write_rows(out, columns, [{"photo": "ä.jpg", "place_id": 7}, {"photo": "b", "latitude": 1.5}])
    table = parquet.read_table(out)
    assert [str(kind) for kind in table.schema.types] == ["string", "int64", "double"]
    assert table.to_pydict() == {
        "photo": ["ä.jpg", "b"],
        "place_id": [7, None],
        "latitude": [None, 1.5],
    }


def test_a_killed_run_goes_on_with_the_next_photo(
    ask: Callable[..., AnswerCounts], photos: Path, index: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results.csv"
    command = [sys.executable, "-c", KILLED, str(index), str(photos / "places"), str(out)]
    done = subprocess.run(command, env=unmeasured(), capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not out.exists()
    journal = journal_beside(out)
    journal.write_bytes(journal.read_bytes() + b'{"photo": "3.jp')  # as a full disk leaves it
    seen: list[int] = []
    counts = ask(out, progress=lambda stage, done, total: seen.append(done))
    assert (counts.photos, counts.before, len(counts.unreadable)) == (5, 3, 1)
    assert seen == [3, 4, 5]
    assert [row["photo"] for row in rows_of(out)] == [*(f"{n}.jpg" for n in range(4)), "half.jpg"]
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


def test_what_was_answered_counts_only_for_the_same_question_and_photo(
    ask: Callable[..., AnswerCounts], photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results.csv"

    def stop(stage: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(out, progress=stop)
    half = (photos / "places" / "1.jpg").stat()
    assert journal_beside(out).stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyboardInterrupt):
        ask(out, k=3, progress=stop)
    with (photos / "places" / "1.jpg").open("ab") as stream:
        stream.write(b"\0")
    try:
        assert ask(out, k=3).before == 3  # the changed photo is asked again
    finally:
        content = (photos / "places" / "1.jpg").read_bytes()
        (photos / "places" / "1.jpg").write_bytes(content[: half.st_size])


@pytest.mark.slow
def test_an_index_that_was_edited_meanwhile_is_asked_anew(
    engine: Engine, photos: Path, index: Path, tmp_path: Path
) -> None:
    town = shutil.copytree(index, tmp_path / "town")
    out = tmp_path / "results.csv"

    def ask(progress: Progress = silent) -> AnswerCounts:
        queries = open_queries(photos / "places")
        asked = Engine(open_index(town), engine.model)
        return write_answers(asked, queries, Question(2), out, progress=progress)

    def stop(stage: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(stop)
    edit_place(town, 1, {"name": "North gate"})
    assert ask().before == 0
    assert rows_of(out)[1]["place"] == "North gate"


def test_two_runs_do_not_write_one_file(ask: Callable[..., AnswerCounts], tmp_path: Path) -> None:
    out = tmp_path / "results.csv"
    with journal_beside(out).open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(Exception, match="Another process is writing"):
            ask(out)


def test_what_cannot_be_written_is_one_sentence(
    run: Run, check_failure: CheckFailure, photos: Path, index: Path, tmp_path: Path
) -> None:
    folder = photos / "queries"
    assert "--out results.csv`" in check_failure(run("search", index, folder))
    told = check_failure(run("search", index, folder, "--out", tmp_path / "o.xls"), 2)
    assert "must end in .csv, .jsonl, .geojson or .parquet" in told
    told = check_failure(run("search", index, folder, "--out", tmp_path / "no" / "o.csv"))
    assert "name a file in a folder that exists" in told
    assert "is an index and" in check_failure(run("search", folder, index))


def test_a_batch_is_standardised_as_python_does_it(
    run: Run, photos: Path, index: Path, tmp_path: Path
) -> None:
    out, asked = tmp_path / "results.jsonl", photos / "queries"
    assert run("search", index, asked, "--out", out, "--standardize").exit_code == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    paths = sorted(asked.iterdir())
    answers = place_search.search_many(index, paths, standardize=True)
    for line, answer in zip(lines, answers, strict=True):
        assert line["results"] == answer.to_dict()["results"]
        assert any("standardised over 2 photos" in note for note in line["query"]["notes"])
    assert run("search", index, paths[0], "--standardize").exit_code == 2


@pytest.mark.parametrize("head", ["", "path\n"])
def test_all_commands_refuse_a_list_that_names_a_photo_twice(
    check_failure: CheckFailure, run: Run, index: Path, photos: Path, tmp_path: Path, head: str
) -> None:
    listed = tmp_path / ("twice.csv" if head else "twice.txt")
    queries = photos.resolve() / "queries"
    listed.write_text(f"{head}{queries}/1.jpg\n{queries}/2.jpg\n{queries}/1.png\n", "utf-8")
    commands: dict[str, tuple[str | Path, ...]] = {
        "a.csv": ("search", index),
        "pairs.txt": ("pairs", index),
        "track.csv": ("track", index),
        "rows.npy": ("describe",),
        "new": ("index",),
    }
    first = 2 if head else 1
    for out, command in commands.items():
        told = check_failure(run(*command, listed, "--out", tmp_path / out))
        assert f"1.jpg' twice, in rows {first} and {first + 2}; leave one" in told, command
    assert list(tmp_path.iterdir()) == [listed]
