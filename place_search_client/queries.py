"""What is asked of a server, as the parameters of its address."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, TypedDict

_POINT = ("latitude", "longitude")
_NUMBERS: Mapping[str, Sequence[str]] = {
    "near": _POINT,
    "box": ("x", "y", "width", "height"),
    "bbox": ("west", "south", "east", "north"),
}
"""Parameters that are several numbers in one value."""


class Filters(TypedDict, total=False):
    """What places must be to be found: all that is given, and is not None.

    Their photo lies in the `folder`, taken from one day to another, such as 2024-05-31; they have
    each `tag`, and each own `field` is so, as in "floor:ge:3".
    """

    folder: str | None
    taken_from: str | None
    taken_to: str | None
    tag: Sequence[str] | None
    field: Sequence[str] | None


def search_query(
    k: int,
    spots: bool,
    verify: bool | None,
    box: Sequence[float] | None,
    panorama: bool | None,
    near: Sequence[float] | None,
    radius_m: float | None,
    filters: Filters,
) -> dict[str, Any]:
    """What a search asks for."""
    asked = {"verify": verify, "box": box, "panorama": panorama, "near": near, "radius_m": radius_m}
    return {"k": k, "spots": spots or None, **asked, **filters}


def similar_request(
    place_id: int,
    k: int,
    same_spot: bool,
    near: Sequence[float] | None,
    radius_m: float | None,
    filters: Filters,
) -> tuple[str, str, dict[str, Any]]:
    """The method, the path and what is asked of a question for similar places."""
    asked = {"k": k, "same_spot": same_spot, "near": near, "radius_m": radius_m, **filters}
    return "GET", f"{place_path(place_id)}/similar", asked


def parameters(asked: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What is asked, by name, as httpx takes it: without what is None, and None for nothing.

    Raises:
        ValueError: `near` is not two numbers, or a box not four.
    """
    given = {name: value for name, value in (asked or {}).items() if value is not None}
    for name in _NUMBERS.keys() & given.keys():
        given[name] = ",".join(map(str, _numbers(name, given[name], _NUMBERS[name])))
    return given or None


def point_in(position: Iterable[float]) -> dict[str, float]:
    """A position as a form and a change have it. Raises ValueError where it is not two numbers."""
    return dict(zip(_POINT, map(float, _numbers("position", position, _POINT)), strict=True))


def place_path(place_id: int) -> str:
    """The address of a place. Raises TypeError where its id is no whole number."""
    return f"/v1/places/{operator.index(place_id)}"


def _numbers(name: str, given: Iterable[float], of: Sequence[str]) -> list[float]:
    """The numbers of a point or a box, of Python or NumPy.

    Raises:
        ValueError: they are not as many numbers as `of` names.
    """
    values = list(given) if isinstance(given, Iterable) else []
    if len(values) == len(of) and all(isinstance(value, Real) for value in values):
        return values
    raise ValueError(f"{name} is the numbers {', '.join(of)}, not {given!r:.60}.")
