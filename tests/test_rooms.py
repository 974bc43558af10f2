"""The house's rules: which room may import which, no circles, and modules short enough to read."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = {"core", "photos", "models", "indexer", "search"}
MAY_IMPORT = {
    "core": set[str](),
    "photos": {"core"},
    "models": {"core", "photos", "weights"},
    "indexer": {"core", "photos", "models"},
    "search": {"core", "photos", "models", "indexer"},
    "search.server": LIBRARY | {"web"},
    "evaluation": LIBRARY | {"web"},  # its reports look like the pages
    "training": LIBRARY | {"evaluation"},  # it validates by the same truths and recalls
    "data": set[str](),
    "weights": set[str](),
    "web": set[str](),
}
"""What a room may import besides itself; the front door, all else below place_search, may all."""

TOP_ROOMS = [room for room in MAY_IMPORT if "." not in room and room != "core"]

PUTS_TOGETHER = {f"place_search.search.server.{name}" for name in ("app", "server")}
"""Modules that make a whole of the folders beside them; none of those imports them."""

MAX_LINES = 400
MAX_FILES = 18
"""Python files in a folder, `__init__` included."""


QUOTED = {"AUTO", "command", "join(map(str, words))", "quote(str(out))", "quote(str(data))"}
"""What may stand in a command as it is: one word, or words that are quoted already."""


@cache
def modules() -> dict[str, Path]:
    """All product modules by their dotted names."""
    found = {}
    for top in (*TOP_ROOMS, "place_search", "place_search_client"):
        for path in (ROOT / top).rglob("*.py"):  # does not follow the links
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[0] in TOP_ROOMS:
                parts = ("place_search", *parts)
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def room_of(module: str) -> str:
    """The innermost room that a module belongs to, '' for the front door."""
    inside = module.removeprefix("place_search.")
    rooms = [room for room in MAY_IMPORT if inside == room or inside.startswith(f"{room}.")]
    return max(rooms, key=len, default="")


def imports(module: str) -> Iterator[tuple[str, int]]:
    """Our own modules that a module imports, wherever in it, with their lines."""
    for node in ast.walk(ast.parse(modules()[module].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                target = inner if inner in modules() else node.module
                if target in modules():
                    yield target, node.lineno
        elif isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names if name.name in modules())


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    inside = [module for module in modules() if room_of(module) == room]
    assert inside
    wrong = [
        f"{module}:{line} imports {target}"
        for module in inside
        for target, line in imports(module)
        if room_of(target) not in MAY_IMPORT[room] | {room}
    ]
    assert wrong == []


def circles(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is left of a graph of imports when all that has no part in a circle is taken away."""
    left = dict(graph)
    while True:
        done = [name for name, targets in left.items() if not targets & left.keys()]
        if not done:
            return left
        for name in done:
            del left[name]


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {module: {target for target, _ in imports(module)} for module in modules()}
    assert circles(graph) == {}, "these modules import each other in a circle"


def folder_of(module: str) -> str:
    """The folder of a module below its room, such as indexer/storage; '' in the room itself."""
    path = modules()[module].relative_to(ROOT)
    parts = path.parent.parts[1 if path.parts[0] == "place_search" else 0 :]
    return "/".join(parts) if len(parts) > 1 else ""


def test_folders_inside_a_room_import_each_other_one_way() -> None:
    graph: dict[str, set[str]] = {}
    for module in modules().keys() - PUTS_TOGETHER:
        if folder := folder_of(module):
            targets = {folder_of(target) for target, _ in imports(module)}
            graph.setdefault(folder, set()).update(targets - {folder, ""})
    assert circles(graph) == {}, "these folders import each other in a circle"


def test_modules_and_folders_are_small_enough_to_read() -> None:
    beside = (path for room in ("tests", "bench", "docs") for path in (ROOT / room).rglob("*.py"))
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (*modules().values(), *beside)
        if (lines := len(path.read_text("utf-8").splitlines())) > MAX_LINES
    }
    assert long == {}
    folders = [path.parent for path in modules().values()]
    assert {str(f) for f in folders if folders.count(f) > MAX_FILES} == set()


def test_commands_in_sentences_can_be_run_with_any_path() -> None:
    """A path with a space is two words to a shell: `shell_command` quotes it."""
    unquoted = []
    for module, path in modules().items():
        for text in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(text, ast.JoinedStr):
                sentence = "".join(
                    str(part.value)
                    if isinstance(part, ast.Constant)
                    else f"{{{ast.unparse(part.value)}}}"
                    for part in text.values
                    if isinstance(part, ast.Constant | ast.FormattedValue)
                )
                for command in re.findall(r"`place-search [^`]*`", sentence):
                    if set(re.findall("{(.*?)}", command)) - QUOTED:
                        unquoted.append(f"{module}: {command}")
    assert not unquoted
