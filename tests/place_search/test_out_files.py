"""`--out` never replaces what is read, a part of an index, or what is no file."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]
CheckFailure = Callable[[Result], str]

SEARCHING = ("pairs", "search", "track")


@pytest.mark.parametrize("command", SEARCHING)
def test_the_list_that_is_read_stays(
    run: Run, index: Path, photos: Path, check_failure: CheckFailure, tmp_path: Path, command: str
) -> None:
    listed = tmp_path / "queries.csv"
    listed.write_text(f"path\n{photos / 'queries' / '1.jpg'}\n")
    before = listed.read_bytes()
    said = check_failure(run(command, index, listed, "--out", listed))
    assert "is what is read" in said or "something else than rows of photo" in said
    assert listed.read_bytes() == before


@pytest.mark.parametrize("command", SEARCHING)
def test_an_index_stays_whole(
    run: Run, index: Path, photos: Path, check_failure: CheckFailure, command: str
) -> None:
    out = index / ("manifest.json" if command == "pairs" else "new.csv")
    before = {path: path.read_bytes() for path in index.rglob("*") if path.is_file()}
    said = check_failure(run(command, index, photos / "queries", "--out", out))
    assert said == f"{out} is within the index; name a file outside of it.\n"
    assert {path: path.read_bytes() for path in index.rglob("*") if path.is_file()} == before


def test_pairs_replace_no_photo(
    run: Run, index: Path, photos: Path, check_failure: CheckFailure, tmp_path: Path
) -> None:
    shutil.copytree(photos / "queries", tmp_path / "queries")
    photo = tmp_path / "queries" / "1.jpg"
    before = photo.read_bytes()
    said = check_failure(run("pairs", index, photo.parent, "--out", photo))
    assert said == f"{photo} holds something else than pairs of photos; name another file.\n"
    assert photo.read_bytes() == before


@pytest.mark.parametrize("command", [*SEARCHING, "places", "describe"])
def test_links_and_pipes_are_not_replaced(
    run: Run, index: Path, photos: Path, check_failure: CheckFailure, tmp_path: Path, command: str
) -> None:
    ending = "npy" if command == "describe" else "csv"
    target, link, pipe = (tmp_path / f"{name}.{ending}" for name in ("kept", "link", "pipe"))
    target.write_text("kept")
    link.symlink_to(target)
    os.mkfifo(pipe)
    queries = {"places": (index,), "describe": (photos / "queries",)}
    for out in (link, pipe):
        given = queries.get(command, (index, photos / "queries"))
        said = check_failure(run(command, *given, "--out", out))
        assert said == f"{out} is a link, pipe or device; name a file.\n"
    assert link.is_symlink()
    assert pipe.is_fifo()
    assert target.read_text() == "kept"


def test_a_table_of_other_columns_stays_and_ones_own_is_written_anew(
    run: Run, index: Path, photos: Path, check_failure: CheckFailure, tmp_path: Path
) -> None:
    table = tmp_path / "places.csv"
    shutil.copy(photos / "places.csv", table)
    said = check_failure(run("places", index, "--out", table))
    assert said.startswith(f"{table} holds something else than rows of place_id, name, path, ")
    assert table.read_bytes() == (photos / "places.csv").read_bytes()
    table.unlink()
    for _ in range(2):
        assert run("places", index, "--out", table).exit_code == 0


STRANGERS = {
    ".gpx": '<?xml version="1.0"?>\n<gpx version="1.1" creator="a camera"><trk></trk></gpx>\n',
    ".geojson": '{"type": "FeatureCollection", "features": [{"properties": {}}]}\n',
    ".txt": "my notes\n",
}
"""What others write into files of an ending; of other endings any text is."""


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        *(
            (command, ending)
            for command in ("search", "places")
            for ending in (".jsonl", ".geojson")
        ),
        *(("track", ending) for ending in (".csv", ".json", ".geojson", ".gpx", ".mp4")),
        ("places", ".parquet"),
        ("pairs", ".txt"),
    ],
)
@pytest.mark.slow
def test_only_ones_own_is_written_anew(
    run: Run,
    index: Path,
    photos: Path,
    check_failure: CheckFailure,
    tmp_path: Path,
    command: str,
    ending: str,
) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    asked = (command, index, *(() if command == "places" else (photos / "queries",)))
    out = tmp_path / f"out{ending}"
    out.write_text(STRANGERS.get(ending, "of somebody else\n"))
    before = out.read_bytes()
    said = check_failure(run(*asked, "--out", out))
    assert said.startswith(f"{out} holds something else than ")
    assert out.read_bytes() == before
    out.write_bytes(b"")  # as of mktemp: nothing is lost with it
    for _ in range(2):
        result = run(*asked, "--out", out)
        assert result.exit_code == 0, result.output
    assert out.read_bytes()


def test_an_index_of_nothing_that_can_be_read_leaves_nothing(
    run: Run, check_failure: CheckFailure, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"no photo")
    out = tmp_path / "index"
    check_failure(run("index", tmp_path / "photos", "--out", out))
    assert not out.exists()
    out.mkdir()
    (out / "descriptors").mkdir()
    (out / "thumbnails").mkdir()
    check_failure(run("index", tmp_path / "photos", "--out", out))
    assert out.is_dir()
