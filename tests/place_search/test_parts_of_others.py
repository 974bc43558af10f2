"""A part of another distribution that fails is named; nobody has to read its traceback."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import place_search
from place_search.core.errors import PlaceSearchError

Run = Callable[..., Result]

GROUP = "place_search.indexer.sources.kinds"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def reads(data): return data.nonsense", "AttributeError: "),
        ("ACCEPTS = 'all'", "AttributeError: module 'broken_part' has no attribute 'reads'"),
    ],
)
def test_a_source_that_fails_is_named(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    (tmp_path / "broken_part.py").write_text(text)
    about = tmp_path / "others_parts-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: others-parts\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[{GROUP}]\nodd = broken_part\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_part", raising=False)
    result = run("index", photos / "places", "--out", tmp_path / "index")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert f"The part odd of {GROUP}, which is of the package others-parts" in result.stderr
    assert told in result.stderr
    if "1 / 0" in text:
        with pytest.raises(PlaceSearchError, match="others-parts"):
            place_search.index(photos / "places", tmp_path / "index")
