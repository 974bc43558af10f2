"""What `search` prints for photos that show no place of the index, in words and as JSON."""

import json
from pathlib import Path

import pytest

import place_search
from tests.place_search.conftest import Run
from tests.search.photos import NAMES_OF_NO_PLACE, OF_NO_PLACE, encoded


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES_OF_NO_PLACE)
def test_a_photo_of_no_place_is_never_found(
    run: Run, index: Path, tmp_path: Path, name: str
) -> None:
    photo = tmp_path / f"{name}.jpg"
    photo.write_bytes(encoded(OF_NO_PLACE[name](), "JPEG", quality=90))
    answer = json.loads(run("search", index, photo, "--json").stdout)
    assert answer["match"] == place_search.search(index, photo).to_dict()["match"]
    assert answer["match"]["verdict"] in ("unsure", "not_found")
    assert answer["location"] is None
    said = run("search", index, photo).stdout
    assert "Not among these 3 places" in said or "Perhaps" in said
    assert "Taken" not in said
