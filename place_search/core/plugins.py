"""Parts that can be added without touching any other file: backbones, sources, vector stores, …

A kind of part is a package. Each of its modules is a part, and so is each entry point that another
distribution registers under the package's dotted name. The package's docstring lists what a part
must define. In options, part names have hyphens in place of underscores.
"""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from traceback import format_exception_only, walk_tb
from typing import Any

from place_search.core.errors import PlaceSearchError

_loaded: dict[tuple[str, str], tuple[EntryPoint, Any]] = {}
"""The imported parts of other distributions, by kind and name."""


@cache
def _modules(package: str) -> frozenset[str]:
    path = import_module(package).__path__
    return frozenset(module.name for module in pkgutil.iter_modules(path) if not module.ispkg)


def _plugin_parts(package: str) -> dict[str, EntryPoint]:
    """The parts of other distributions by name. Reading all entry points takes 30 ms."""
    return {point.name.replace("-", "_"): point for point in entry_points(group=package)}


def has_part(package: str, name: str) -> bool:
    """Whether there is a part of that name; no part is imported."""
    name = name.replace("-", "_")
    return name in _modules(package) or name in _plugin_parts(package)


def part_names(package: str) -> tuple[str, ...]:
    """The names of all parts of a kind, with hyphens, sorted; no part is imported."""
    names = _modules(package) | _plugin_parts(package).keys()
    return tuple(sorted(name.replace("_", "-") for name in names))


def load_part(package: str, name: str) -> Any:
    """Import a part: a module of the package, else the object of an entry point of that name.

    Raises:
        LookupError: there is no part of that name.
        PlaceSearchError: the part of another distribution cannot be imported.
    """
    module = name.replace("-", "_")
    if module in _modules(package):
        return import_module(f"{package}.{module}")
    point = _plugin_parts(package).get(module)
    if point is None:
        raise LookupError(f"{package} has no part {name!r}; known are {part_names(package)}")
    try:
        part = point.load()
    except Exception as error:  # other people's code may raise any error
        raise PlaceSearchError(_fault(package, point, error)) from error
    _loaded[package, module] = point, part
    return part


def fault_of_part(error: Exception) -> str | None:
    """A sentence that names the other distribution's part that raised an error; else None."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    tops = {_top(frame.f_globals.get("__name__", "")) for frame in frames}
    for (package, _), (point, part) in _loaded.items():
        if _top(point.module) in tops or getattr(error, "obj", None) is part:
            return _fault(package, point, error)
    return None


def _top(module: str) -> str:
    return module.partition(".")[0]


def _fault(package: str, point: EntryPoint, error: Exception) -> str:
    owner = point.dist.name if point.dist else point.module
    reason = " ".join(format_exception_only(error)[-1].split())
    return (
        f"The part {point.name} of {package}, which is of the package {owner}, fails ({reason}); "
        "mend or uninstall that package."
    )
