"""360° panoramas on the command line and in Python."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import place_search
from place_search.indexer import open_index
from tests.panoramas import gpano, looking, panorama, photo, scene, sizes

Run = Callable[..., Result]


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Two panoramas, of which one says nothing of it, and a photo."""
    folder = tmp_path / "street"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(panorama(1, 30.0))
    (folder / "plain.jpg").write_bytes(photo(scene(2)))
    (folder / "photo.jpg").write_bytes(photo(looking(scene(3), 0)))
    return folder


@pytest.mark.slow
def test_panoramas_are_cut_and_that_is_told(run: Run, street: Path, tmp_path: Path) -> None:
    result = run("index", street, "--out", tmp_path / "i")
    assert result.stdout.startswith(f"14 places in {tmp_path / 'i'} (")
    said = " ".join(result.stderr.split())
    assert "1 panorama was cut into views, which are places of their own." in said
    assert "Warning: plain.jpg: twice as wide as high, as 360° panoramas are, but" in said
    told = json.loads(run("sync", tmp_path / "i", street, "--json").stdout)
    assert (told["unchanged"], told["panoramas"]) == (14, 1)
    told = json.loads(run("sync", tmp_path / "i", street, "--panoramas", "2:1", "--json").stdout)
    assert (told["added"], told["removed"], told["panoramas"]) == (12, 1, 2)
    told = json.loads(run("sync", tmp_path / "i", street, "--panoramas", "off", "--json").stdout)
    assert (told["places"], told["panoramas"]) == (3, 0)
    assert run("add", tmp_path / "i", street).exit_code == 0
    removed = run("remove", tmp_path / "i", "a.jpg#heading=030", "plain.jpg")
    assert removed.stdout.startswith("2 removed: 13 places")


@pytest.mark.slow
def test_a_search_says_which_view_shows_the_place(run: Run, street: Path, tmp_path: Path) -> None:
    run("index", street, "--out", tmp_path / "i")
    query = tmp_path / "query.jpg"
    query.write_bytes(photo(scene(1), gpano(**sizes(2048, 1024), PoseHeadingDegrees=75)))
    result = run("search", tmp_path / "i", query)
    # The camera says 75 of what looked to 30 when it was indexed.
    found = re.match(r"Found: a\.jpg#heading=(\d+) ", result.stdout)
    assert found
    yaw = (int(found[1]) - 30) % 360
    assert (
        f"The view {yaw}° to the right of the panorama's middle shows it, {(yaw + 75) % 360}° from "
        "north."
    ) in " ".join(result.stderr.split())
    assert "(and 11 more photos of" in " ".join(result.stdout.split())
    reply = json.loads(run("search", tmp_path / "i", query, "--no-panorama", "--json").stdout)
    assert reply["query"]["views"] == []
    query.write_bytes(photo(scene(1)))
    note = run("search", tmp_path / "i", query).stderr
    assert "Note: The photo is twice as wide as high" in " ".join(note.split())
    reply = json.loads(run("search", tmp_path / "i", query, "--panorama", "--json").stdout)
    assert reply["match"]["verdict"] == "found"
    assert reply["results"][0]["query_view"]["heading"] is None


@pytest.mark.slow
def test_a_folder_of_queries_is_cut_as_its_metadata_says(
    run: Run, street: Path, tmp_path: Path
) -> None:
    run("index", street, "--out", tmp_path / "i")
    out = tmp_path / "out.csv"
    assert run("search", tmp_path / "i", street, "--out", out).exit_code == 0
    with out.open() as stream:
        rows = {row["photo"]: row for row in csv.DictReader(stream)}
    assert rows["a.jpg"]["verdict"] == "found"
    assert rows["a.jpg"]["place"].startswith("a.jpg#heading=")
    refused = run("search", tmp_path / "i", street, "--panorama", "--out", out)
    assert refused.exit_code == 2
    assert "--panorama only works without --out." in refused.stderr


@pytest.mark.slow
def test_places_and_lists_tell_headings(run: Run, street: Path, tmp_path: Path) -> None:
    run("index", street, "--out", tmp_path / "i")
    assert run("places", tmp_path / "i", "--out", tmp_path / "p.csv").exit_code == 0
    assert run("index", tmp_path / "p.csv", "--out", tmp_path / "again").exit_code == 0
    told = [place.heading for place in open_index(tmp_path / "again").places()]
    assert told == [*range(30, 360, 30), 0, None, None]


@pytest.mark.slow
def test_in_python(run: Run, street: Path, tmp_path: Path) -> None:
    report = place_search.index(street, tmp_path / "i", panoramas="2:1")
    assert (report.places, report.intake.panoramas) == (25, 2)
    found = place_search.search(tmp_path / "i", photo(scene(2)), panorama=True)
    assert found.results[0].name.startswith("plain.jpg#yaw=")
    assert found.results[0].query_view is not None
    vectors = tmp_path / "vectors.h5"
    assert run("describe", street, "--out", vectors).exit_code == 0
    given = place_search.index(street, tmp_path / "given", descriptors=vectors)
    assert (given.places, given.intake.panoramas) == (3, 0)
