"""Parts are found by their file, or by the entry point of another distribution."""

import sys
from pathlib import Path

import pytest

from place_search.core.plugins import _modules, has_part, load_part, part_names

METADATA = "Metadata-Version: 2.1\nName: more-parts\nVersion: 1\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "kinds"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text("NAME = 'one'\n")
    (tmp_path / "elsewhere.py").write_text("NAME = 'two'\n")
    about = tmp_path / "more_parts-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(METADATA)
    (about / "entry_points.txt").write_text("[kinds]\ntwo = elsewhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("kinds", "kinds.one", "elsewhere"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    _modules.cache_clear()
    return "kinds"


def test_parts_are_found_by_file_and_by_entry_point(package: str) -> None:
    assert part_names(package) == ("one", "two")
    assert [has_part(package, name) for name in ("one", "two", "three")] == [True, True, False]
    assert "kinds.one" not in sys.modules
    assert [load_part(package, name).NAME for name in part_names(package)] == ["one", "two"]


def test_an_unknown_part_is_named_with_the_known_ones(package: str) -> None:
    with pytest.raises(LookupError, match=r"no part 'three'; known are \('one', 'two'\)"):
        load_part(package, "three")
