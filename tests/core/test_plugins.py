"""Parts are found by their file, or by the entry point of another distribution."""

import sys
from pathlib import Path

import pytest

from place_search.core.errors import PlaceSearchError
from place_search.core.plugins import (
    _modules,
    fault_of_part,
    has_part,
    load_part,
    part_names,
)

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
    (about / "entry_points.txt").write_text("[kinds]\ntwo = elsewhere\nso-named = elsewhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("kinds", "kinds.one", "elsewhere"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    _modules.cache_clear()
    monkeypatch.setattr("place_search.core.plugins._loaded", {})
    return "kinds"


def test_parts_are_found_by_file_and_by_entry_point(package: str) -> None:
    assert part_names(package) == ("one", "so-named", "two")
    assert [has_part(package, name) for name in ("one", "two", "three")] == [True, True, False]
    assert has_part(package, "so-named")
    assert "kinds.one" not in sys.modules
    assert [load_part(package, name).NAME for name in part_names(package)] == ["one", "two", "two"]


def test_an_unknown_part_is_named_with_the_known_ones(package: str) -> None:
    with pytest.raises(
        LookupError, match=r"no part 'three'; known are \('one', 'so-named', 'two'\)"
    ):
        load_part(package, "three")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 / 0", r"\(ZeroDivisionError: division by zero\)"),
        ("import no_such", r"\(ModuleNotFoundError: No module named 'no_such'\)"),
        ("raise ValueError", r"\(ValueError\)"),
        ("not:", r"\(SyntaxError: invalid syntax\)"),
    ],
)
def test_a_part_that_cannot_be_imported_is_named(
    package: str, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "elsewhere.py").write_text(text)
    said = f"^The part two of kinds, which is of the package more-parts, fails {told}; mend or .*$"
    with pytest.raises(PlaceSearchError, match=said):
        load_part(package, "two")


def test_an_error_of_another_s_part_is_told_from_one_of_our_own(
    package: str, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere.py").write_text("def read(): return {}['a']")
    part = load_part(package, "two")
    with pytest.raises(KeyError) as raised:
        part.read()
    assert "The part two of kinds" in str(fault_of_part(raised.value))
    with pytest.raises(AttributeError) as lacking:
        part.BACKBONE  # noqa: B018
    assert "The part two of kinds" in str(fault_of_part(lacking.value))
    with pytest.raises(KeyError) as own:
        {"b": 1}["a"]
    assert fault_of_part(own.value) is None
