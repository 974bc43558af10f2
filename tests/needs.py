"""What tests need beyond the packages of `make check`, found by what their files import."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = {"torch": "torch", "nncf": "torch", "playwright": "browser", "pymilvus": "milvus"}
"""Packages and the marks of the tests that need them."""
PROCESSES = r"^import (psutil|subprocess)|^from multiprocessing|\b(start_server|client: httpx)\b"
"""What stands in a test file that starts processes, which takes seconds."""


@cache
def needs_of(path: Path) -> frozenset[str]:
    """The marks of all tests in a file."""
    text = path.read_text("utf-8")
    names = re.findall(r'importorskip\("(\w+)"\)', text)
    conftest = path.with_name("conftest.py")
    needs = _needs_of_imports(path) | {PACKAGES[name] for name in names if name in PACKAGES}
    if conftest.exists() and path.parent != ROOT / "tests":
        needs |= _needs_of_imports(conftest)
    return needs | ({"slow"} if re.search(PROCESSES, text, re.MULTILINE) else set())


def _needs_of_imports(path: Path) -> frozenset[str]:
    """The marks of what a file and our own modules that it loads import when they are loaded."""
    seen = {path}
    waiting = [path]
    needs = set()
    while waiting:
        for name in _imports(waiting.pop()):
            if (package := name.partition(".")[0]) in PACKAGES:
                needs.add(PACKAGES[package])
            if (module := _file_of(name)) is not None and module not in seen:
                seen.add(module)
                waiting.append(module)
    return frozenset(needs)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """The full names of what a module imports at its top level."""
    return tuple(
        name for node in ast.parse(path.read_bytes()).body for name in _names_imported_by(node)
    )


def _names_imported_by(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _file_of(name: str) -> Path | None:
    """The file of one of our own modules, None for everything else."""
    if name.partition(".")[0] not in ("place_search", "place_search_client", "bench", "tests"):
        return None
    path = ROOT / name.replace(".", "/")
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)
