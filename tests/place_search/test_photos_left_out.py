"""What keeps photos out is said, and can be lifted, by all commands that read photos."""

import inspect
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

import place_search
from place_search.cli.commands import load_command
from place_search.core.errors import PlaceSearchError

Run = Callable[..., Result]
READERS = (
    *(
        "add",
        "calibrate",
        "cluster",
        "compare",
        "demo",
        "describe",
        "distil",
        "doctor",
        "eval",
        "index",
    ),
    *("quantize", "search", "serve", "sync", "track", "verify", "whiten"),
)


@pytest.mark.parametrize("name", READERS)
def test_all_commands_that_read_photos_take_the_limit(name: str) -> None:
    """`train` decodes JPEGs at a scale that the limit never meets."""
    command: Any = load_command(name).registered_commands[0].callback
    assert "max_megapixels" in inspect.signature(command).parameters


@pytest.fixture
def town(photos: Path, tmp_path: Path) -> Path:
    """Three places in a database, one of them a PNG of 1.2 megapixels, and a query."""
    for folder in ("database", "queries", "database/locked"):
        (tmp_path / folder).mkdir()
    for place in range(2):
        shutil.copy(photos / "places" / f"{place}.jpg", tmp_path / f"database/@{place}00@0@.jpg")
    large = Image.open(photos / "places" / "2.jpg").resize((1280, 960))
    large.save(tmp_path / "database/@200@0@.png")
    shutil.copy(photos / "queries" / "1.jpg", tmp_path / "queries/@100@3@.jpg")
    return tmp_path


@pytest.mark.slow
def test_eval_and_doctor_take_the_limit(run: Run, town: Path) -> None:
    for limit, unreadable in ((1, ["database/@200@0@.png"]), (2, [])):
        options = "--max-megapixels", str(limit), "--json"
        found = json.loads(run("eval", town, *options).stdout)
        assert [photo["name"] for photo in found["unreadable"]] == unreadable
        told = json.loads(run("doctor", town, "--sample", "0", *options).stdout)
        codes = [problem["kind"] for problem in told["problems"]]
        assert ("unreadable" in codes) == bool(unreadable)


@pytest.mark.slow
@pytest.mark.torch
def test_folders_that_may_not_be_read_are_named(
    run: Run, town: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from place_search.training.data.open_places import open_places

    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("place_search.indexer.sources.walk.os.scandir", refuse)
    sentence = f"{town / 'database/locked'} is left out: the folder cannot be listed"
    assert sentence in run("eval", town).stderr
    (town / "truth.csv").write_text("query,positives\nqueries/@100@3@.jpg,database/@100@0@.jpg\n")
    listed = ("--truth", town / "truth.csv", "--root", town, "--database", town / "database")
    assert sentence in run("eval", *listed).stderr
    assert sentence in run("doctor", *listed, "--sample", "0").stdout
    assert open_places(town).left_out == open_places(town / "database").left_out
    assert sentence in open_places(town).left_out[0]
    told = run("doctor", town, "--sample", "0").stdout
    assert "unreadable-folder" in told
    assert "locked" in told


@pytest.mark.slow
def test_commands_that_take_a_folder_say_what_is_no_photo_there(
    run: Run, town: Path, index: Path, tmp_path: Path
) -> None:
    folder = town / "queries"
    shutil.copy(folder / "@100@3@.jpg", folder / "@101@3@.jpg")
    (folder / "raw.dng").write_bytes(b"raw")
    (folder / "@eaDir").mkdir()
    for arguments in (
        ("search", index, folder, "--out", tmp_path / "answers.csv"),
        ("pairs", index, folder, "--root", "/", "--out", tmp_path / "pairs.txt"),
        ("track", index, folder, "--out", tmp_path / "track.csv"),
        ("describe", folder, "--out", tmp_path / "rows.npy"),
        ("eval", town),
    ):
        done = run(*arguments)
        assert done.exit_code == 0, done.output
        said = f"Left out of {folder}, as no photos: 1 "
        assert said in done.stderr, arguments
        assert {".dng file", "folder @eaDir"} == {
            kind.removeprefix("1 ").rstrip(".")
            for kind in done.stderr.partition("as no photos: ")[2].partition("\n")[0].split(", ")
        }


def test_a_model_reads_as_large_photos_as_it_may(tmp_path: Path) -> None:
    small, large = (tmp_path / f"{side}.png" for side in (1000, 1001))
    for photo in (small, large):
        Image.new("L", (1000, int(photo.stem))).save(photo)
    place_search.describe([small, large], model=place_search.open_model(max_megapixels=2))
    model = place_search.open_model(max_megapixels=1)
    place_search.describe(small, model=model)
    with pytest.raises(PlaceSearchError, match="over the limit of 1,000,000; shrink it first"):
        place_search.describe(large, model=model)


@pytest.mark.slow
def test_describe_leaves_out_what_it_cannot_read_of_a_list(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    file, listed = tmp_path / "rows.npz", photos / "chosen.txt"
    listed.write_text("places/2.jpg\nplaces/half.jpg\nplaces/0.jpg\n")
    result = run("describe", listed, "--out", file)
    assert result.exit_code == 0, result.output
    assert "places/half.jpg: " in result.stderr
    alone = place_search.describe(photos / "places" / "2.jpg")[0]
    with np.load(file) as written:
        assert written["names"].tolist() == ["places/2.jpg", "places/0.jpg"]
        np.testing.assert_allclose(written["descriptors"][0], alone, atol=1e-6)
