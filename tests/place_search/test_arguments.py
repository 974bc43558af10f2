"""What the functions of Python refuse before they begin."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import place_search
from place_search import PlaceSearchError

PLACES: Any = "photos"


@pytest.fixture(autouse=True)
def at_home(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").symlink_to(photos / "places")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: place_search.index(
                PLACES, "town", model=place_search.open_model(), verify_with="lite0-netvlad"
            ),
            "An opened model has its verifier already; give verify_with to open_model instead.",
        ),
        (
            lambda: place_search.index(PLACES, "town", descriptors="a.npz", verify_with="b"),
            "verify_with does not work with descriptors; leave one of them out.",
        ),
        (
            lambda: place_search.index(PLACES, "town", local_features=False, verify_with="b"),
            "verify_with does not work with local_features=False; leave one of them out.",
        ),
    ],
)
def test_arguments_that_mean_nothing_are_refused(call: Callable[[], object], says: str) -> None:
    with pytest.raises(PlaceSearchError, match=re.escape(says)):
        call()
    assert not Path("town").exists()
