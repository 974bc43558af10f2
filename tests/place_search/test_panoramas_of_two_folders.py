"""Panoramas of several folders in one index are told from each other by their whole paths."""

from pathlib import Path

import pytest

import place_search
from tests.panoramas import panorama


def panorama_in(folder: Path, number: int) -> Path:
    """Make a folder with one panorama, which is called as cameras call theirs."""
    folder.mkdir(parents=True)
    (folder / "R0010001.JPG").write_bytes(panorama(number))
    return folder


@pytest.mark.slow
def test_another_folder_s_panorama_of_the_same_name_is_another_one(tmp_path: Path) -> None:
    out = tmp_path / "index"
    place_search.index(panorama_in(tmp_path / "monday", 3), out)
    before = [(place, place.path.read_bytes()) for place in place_search.open_index(out).places()]
    tuesday = panorama_in(tmp_path / "tuesday", 4)

    assert place_search.add(out, tuesday).added == 12

    places = list(place_search.open_index(out).places())
    assert len(places) == 24
    assert [(place, place.path.read_bytes()) for place in places[:12]] == before
    assert place_search.add(out, tuesday).unchanged == 12
    (tmp_path / "list.csv").write_text("path,latitude,longitude,floor\ntuesday/R0010001.JPG,,,2\n")
    assert place_search.add(out, tmp_path / "list.csv").added == 0
    floors = [place.fields.get("floor") for place in place_search.open_index(out).places()]
    assert floors == [None] * 12 + [2] * 12


@pytest.mark.slow
def test_a_folder_of_the_indexed_one_adds_no_panorama_again(tmp_path: Path) -> None:
    out = tmp_path / "index"
    harbour = panorama_in(tmp_path / "town" / "harbour", 3)
    place_search.index(tmp_path / "town", out)
    assert place_search.add(out, harbour).added == 0
    assert len(place_search.open_index(out)) == 12
