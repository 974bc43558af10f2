"""The house's rules: which room may import which, and from where."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = {"netvlad", "indexer", "search"}
MAY_IMPORT = {
    "netvlad": {"weights"},
    "indexer": {"netvlad"},
    "search": {"netvlad", "indexer", "web"},
    "evaluation": CORE,
    "training": CORE | {"evaluation"},  # it validates by the same truths and recalls
    "place_search": CORE | {"evaluation", "training", "data"},
    "place_search_client": set(),
    "data": set(),
    "weights": set(),
    "web": set(),
}


def imported(file: Path) -> Iterator[tuple[str, int]]:
    """Modules that a file imports, with their lines."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module, node.lineno


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {module}"
        for file in sorted((ROOT / room).rglob("*.py"))
        for module, line in imported(file)
        if (top := module.partition(".")[0]) in MAY_IMPORT and top not in MAY_IMPORT[room] | {room}
    ]
    assert wrong == []


def test_every_module_is_short_enough_to_read() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for room in MAY_IMPORT
        for file in (ROOT / room).rglob("*.py")
        if (lines := len(file.read_text().splitlines())) > 400
    }
    assert long == {}
