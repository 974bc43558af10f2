"""`place-search group`, and how `search` shows photos of one spot."""

import json
import shutil
from pathlib import Path

import pytest

from tests.place_search.conftest import Run


@pytest.fixture
def town(photos: Path, tmp_path: Path, run: Run) -> Path:
    """An index of two places, one of them seen twice."""
    (tmp_path / "photos").mkdir()
    for name in ("0.jpg", "1.jpg"):
        shutil.copy(photos / "places" / name, tmp_path / "photos")
    shutil.copy(photos / "places" / "1.jpg", tmp_path / "photos" / "1-again.jpg")
    assert run("index", tmp_path / "photos", "--out", tmp_path / "index").exit_code == 0
    return tmp_path / "index"


def test_a_spot_is_one_row(town: Path, photos: Path, run: Run) -> None:
    grouped = run("group", town)
    assert grouped.stdout.startswith(f"1 group of 2 photos, of 3 in {town} (3 new)")
    found = run("search", town, photos / "queries" / "1.jpg").stdout
    assert "(and 1 more photo of it)" in " ".join(found.split())
    replies = json.loads(run("search", town, photos / "queries" / "1.jpg", "--json").stdout)
    assert len(replies["results"]) == 3
    assert json.loads(run("group", town, "--json").stdout) == {
        "places": 3,
        "new": 0,
        "groups": 1,
        "grouped": 2,
        "notes": [],
        "reasons": [],
    }


@pytest.mark.slow
def test_what_is_in_no_group_is_said(town: Path, photos: Path, run: Run) -> None:
    hint = f"`place-search group {town}` puts photos of one spot together;"
    more = town.with_name("photos")

    def said(*command: object) -> str:
        done = run(*command)
        assert done.exit_code == 0
        return " ".join(done.stderr.split())

    assert f"{hint} 3 are in no group." in said("index", more, "--out", town)
    run("group", town)
    assert hint not in said("sync", town, more)
    shutil.copy(photos / "places" / "2.jpg", more)
    assert hint not in said("sync", town, more, "--json")
    assert f"{hint} 1 is in no group." in said("sync", town, more)
    assert hint not in said("index", more, "--out", town.with_name("bare"), "--no-local-features")


def test_an_index_without_local_features_has_only_similarity(town: Path, run: Run) -> None:
    bare = town.with_name("bare")
    indexed = run("index", town.with_name("photos"), "--out", bare, "--no-local-features")
    assert indexed.exit_code == 0
    said = "keeps no local features, so photos are put together by similarity alone"
    grouped = run("group", bare)
    assert grouped.exit_code == 0
    assert f"Note: {bare} {said}" in " ".join(grouped.stderr.split())
    assert said not in " ".join(run("group", town).stderr.split())


def test_groups_are_changed_by_hand(town: Path, run: Run) -> None:
    run("group", town)
    merged = run("group", town, "--of", "0", "--name", "Gate", "--add", "2", "--json")
    assert json.loads(merged.stdout) == {"id": 0, "name": "Gate", "places": [0, 1, 2]}
    parted = run("group", town, "--of", "0", "--remove", "1", "--remove", "2")
    assert parted.stdout == "Gate: 0.jpg (0)\n"
    assert run("group", town, "--anew", "--json").exit_code == 0
    again = run("group", town, "--of", "1", "--name", "", "--json")
    assert len(json.loads(again.stdout)["places"]) == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--name", "Gate"], "with --of"),
        (["--of", "0"], "needs --name"),
        (["--of", "77", "--name", "Gate"], "There is no place 77"),
        (["--of", "0", "--add", "1", "--remove", "1"], "Place 1 is to be added"),
        (["--of", "0", "--remove", "1"], "Place 1 is not in the group of place 0"),
    ],
)
def test_what_cannot_be_is_said(town: Path, run: Run, options: list[str], says: str) -> None:
    refused = run("group", town, *options)
    assert refused.exit_code != 0
    assert says in " ".join(refused.stderr.split())


def test_places_like_one_are_listed_without_its_spot(town: Path, run: Run) -> None:
    run("group", town)
    assert "0.jpg" in run("similar", town, "1").stdout
    told = json.loads(run("similar", town, "1", "--json").stdout)
    assert [result["name"] for result in told["results"]] == ["0.jpg"]
    whole = json.loads(run("similar", town, "1", "--same-spot", "--json").stdout)
    assert [result["name"] for result in whole["results"]] == ["1.jpg", "0.jpg"]
    refused = run("similar", town, "77")
    assert refused.exit_code != 0
    assert "There is no place 77" in " ".join(refused.stderr.split())
