"""Parts that can be added without touching any other file: backbones, sources, vector stores, …

A kind of part is a package. Each of its modules is one part, and so is each entry point that
another distribution registers under the package's dotted name. The package's docstring says what a
part must define. People write hyphens for the underscores of its name.
"""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any


@cache
def _modules(package: str) -> frozenset[str]:
    path = import_module(package).__path__
    return frozenset(module.name for module in pkgutil.iter_modules(path) if not module.ispkg)


def has_part(package: str, name: str) -> bool:
    """Whether there is a part of that name; no part is imported."""
    name = name.replace("-", "_")
    # Entry points of everything that is installed take 30 ms to read.
    return name in _modules(package) or bool(entry_points(group=package, name=name))


def part_names(package: str) -> tuple[str, ...]:
    """The names of all parts of a kind, as people write them, sorted; no part is imported."""
    others = {point.name for point in entry_points(group=package)}
    return tuple(sorted(name.replace("_", "-") for name in _modules(package) | others))


def load_part(package: str, name: str) -> Any:
    """Import one part: a module of the package, else what an entry point of that name gives.

    Raises:
        LookupError: there is no part of that name.
    """
    module = name.replace("-", "_")
    if module in _modules(package):
        return import_module(f"{package}.{module}")
    for point in entry_points(group=package, name=module):
        return point.load()
    raise LookupError(f"{package} has no part {name!r}; known are {part_names(package)}")
