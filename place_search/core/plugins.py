"""Parts that can be added without touching any other file: backbones, sources, vector stores, …

A kind of part is a package. Each of its modules is one part, and so is each entry point that
another distribution registers under the package's dotted name. The package's docstring says what a
part must define.
"""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any


@cache
def part_names(package: str) -> tuple[str, ...]:
    """The names of all parts of a kind, sorted; nothing is imported but the package itself."""
    path = import_module(package).__path__
    own = {module.name for module in pkgutil.iter_modules(path) if not module.ispkg}
    return tuple(sorted(own | {point.name for point in entry_points(group=package)}))


def load_part(package: str, name: str) -> Any:
    """Import one part: a module of the package, else what an entry point of that name gives.

    Raises:
        LookupError: there is no part of that name.
    """
    for point in entry_points(group=package, name=name):
        return point.load()
    if name not in part_names(package):
        raise LookupError(f"{package} has no part {name!r}; known are {part_names(package)}")
    return import_module(f"{package}.{name}")
