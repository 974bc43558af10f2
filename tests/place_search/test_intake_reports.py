"""What index, add and sync say of photos that were left out, or lost their position."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from place_search.cli.app import app

runner = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos with a position, without, and with a senseless one; a film, and a bin."""
    folder = tmp_path_factory.mktemp("intake") / "db"
    (folder / "#recycle").mkdir(parents=True)
    for name, latitude in (("good.jpg", 48.0), ("lost.jpg", 97.0), ("none.jpg", None)):
        exif = Image.Exif()
        if latitude is not None:
            exif[0x8825] = {1: "N", 2: (latitude, 0.0, 0.0), 3: "E", 4: (11.0, 0.0, 0.0)}
        Image.linear_gradient("L").rotate(len(name)).save(folder / name, exif=exif)
    (folder / "film.mov").write_bytes(b"film")
    (folder / "#recycle" / "old.jpg").write_bytes((folder / "good.jpg").read_bytes())
    return folder


def run(*arguments: str | Path) -> tuple[str, str]:
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


@pytest.mark.slow
def test_index_add_and_sync_say_what_they_noticed(folder: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    outcome, remarks = run("index", folder, "--out", index)
    assert "3 places in" in outcome
    assert "1 with a position" in outcome
    assert "lost.jpg: The photo's GPS position is out of range and was left out." in remarks
    assert "Left out, as no photos: 1 " in remarks
    for part in ("1 .mov file", "1 folder #recycle"):
        assert part in remarks

    more = tmp_path / "more"
    shutil.copytree(folder, more)
    Image.linear_gradient("L").resize((99, 99)).save(more / "new.jpg")
    (more / "broken.jpg").write_bytes(b"no photo")
    table = json.loads(run("sync", index, more, "--json")[0])
    assert (table["places"], table["positions"], table["added"]) == (4, 1, 1)
    assert [photo["name"] for photo in table["skipped"]] == ["broken.jpg"]
    assert table["left_out"] == {".mov file": 1, "folder #recycle": 1}
    again = json.loads(run("index", folder, "--out", tmp_path / "other", "--json")[0])
    assert again["notes"] == [
        {"name": "lost.jpg", "note": "The photo's GPS position is out of range and was left out."}
    ]
    assert again["positions"] == 1


@pytest.mark.slow
def test_sync_stops_where_a_folder_may_not_be_listed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    (folder / "locked").mkdir()
    Image.linear_gradient("L").resize((99, 99)).save(folder / "locked" / "deep.jpg")
    run("index", folder, "--out", index)
    from place_search.indexer import Skipped
    from place_search.indexer.sources.kinds import folder as kind
    from place_search.indexer.sources.walk import FolderListing

    listing = FolderListing(["good.jpg"], unlisted=[Skipped("locked/", "it cannot be listed")])
    monkeypatch.setattr(kind, "list_folder", lambda root: listing)
    result = runner.invoke(app, ["sync", str(index), str(folder)])
    assert result.exit_code == 1
    assert f"{folder / 'locked'} would lose its places: it cannot be listed" in result.stderr
    outcome, remarks = run("add", index, folder)
    assert "4 places" in outcome
    assert "  locked/: it cannot be listed." in remarks


@pytest.mark.slow
def test_the_limit_on_pixels_is_a_setting_of_each_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large" / "large.png"
    large.parent.mkdir()
    Image.new("L", (2000, 1500)).save(large)
    index = tmp_path / "index"
    run("index", folder, "--out", index)
    commands: tuple[list[str | Path], ...] = (
        ["index", large.parent, "--out", tmp_path / "fresh"],
        ["add", index, large.parent],
        ["search", index, large],
        ["describe", large, "--out", tmp_path / "d.npy"],
        ["compare", large, large],
        ["sync", index, large.parent],
    )
    monkeypatch.setenv("PLACE_SEARCH_MAX_MEGAPIXELS", "2")
    for command in commands[:-1]:
        result = runner.invoke(app, [str(part) for part in command])
        assert "over the limit of 2,000,000" in str(result.exception) + result.stderr, command
    for command in commands:
        assert "over the limit" not in "".join(run(*command, "--max-megapixels", "3")), command
