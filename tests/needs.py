"""What tests need beyond the packages of `make check`, found by what their files import."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = {"torch": "torch", "nncf": "torch", "playwright": "browser", "pymilvus": "milvus"}
"""Packages and the marks of the tests that need them."""
MARKS = frozenset(PACKAGES.values())
PROCESSES = r"^import (psutil|subprocess)|^from multiprocessing|\b(start_server|client: httpx)\b"
"""What stands in a test file that starts processes, which takes seconds."""
IMPORTS = re.compile(r"^(?:from ([\w.]+) )?import (\([^)]*\)|[^\n(]+)", re.MULTILINE)
"""What a module imports at its top level: from where, and what."""


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


@cache
def _needs_of_imports(path: Path) -> frozenset[str]:
    """The marks of what a file and our own modules that it loads import when they are loaded."""
    seen = {path}
    waiting = [path]
    needs: set[str] = set()
    while waiting:
        its_needs, modules = _imports(waiting.pop())
        needs |= its_needs
        waiting += modules - seen
        seen |= modules
    return frozenset(needs)


@cache
def _imports(path: Path) -> tuple[frozenset[str], frozenset[Path]]:
    """The marks of what a module imports itself at its top level, and our own modules among that.

    Found in its text: parsing all modules takes a second in each worker.
    """
    names = []
    for module, taken in IMPORTS.findall(path.read_text("utf-8")):
        parts = re.findall(r"([\w.]+)(?:\s+as\s+\w+)?", re.sub("#.*", "", taken))
        names += [module, *(f"{module}.{part}" for part in parts)] if module else parts
    packages = {name.partition(".")[0] for name in names}
    modules = {file for name in names if (file := _file_of(name)) is not None}
    return frozenset(PACKAGES[each] for each in packages & PACKAGES.keys()), frozenset(modules)


@cache
def _file_of(name: str) -> Path | None:
    """The file of one of our own modules, None for everything else."""
    if name.partition(".")[0] not in ("place_search", "place_search_client", "bench", "tests"):
        return None
    path = ROOT / name.replace(".", "/")
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)
