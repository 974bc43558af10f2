"""The parameters of requests in an address."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from numbers import Real
from pathlib import PurePath
from typing import Any, SupportsIndex, TypedDict

_POINT = ("latitude", "longitude")
_NUMBERS: Mapping[str, Sequence[str]] = {
    "near": _POINT,
    "box": ("x", "y", "width", "height"),
    "bbox": ("west", "south", "east", "north"),
}
"""The parameters with several numbers in one value, and what the numbers are."""


class Filters(TypedDict, total=False):
    """The filters that the places of an answer fit; None is no filter.

    The photo is in the `folder`, and was taken from `taken_from` to `taken_to`, days such as
    2024-05-31; the place has each `tag`, and fits each condition on a `field`, as in "floor:ge:3".
    """

    folder: str | PurePath | None
    taken_from: str | date | None
    taken_to: str | date | None
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
    """The parameters of a search."""
    area = {"near": near, "radius_m": radius_m}
    query = {"k": k, "spots": spots or None, "verify": verify, "box": box, "panorama": panorama}
    return {**query, **area, **filters}


def similar_request(
    place_id: SupportsIndex,
    k: int,
    same_spot: bool,
    near: Sequence[float] | None,
    radius_m: float | None,
    filters: Filters,
) -> tuple[str, str, dict[str, Any]]:
    """The method, the path and the parameters of a request for similar places."""
    query = {"k": k, "same_spot": same_spot, "near": near, "radius_m": radius_m, **filters}
    return "GET", f"{place_path(place_id)}/similar", query


def parameters(query: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A query for httpx: without parameters that are None, and None for an empty query.

    Raises:
        ValueError: `near` is not two numbers, or a box not four.
    """
    values: dict[str, Any] = {
        name: value.as_posix() if isinstance(value, PurePath) else value
        for name, value in (query or {}).items()
        if value is not None
    }
    for name in _NUMBERS.keys() & values.keys():
        values[name] = ",".join(map(str, _numbers(name, values[name], _NUMBERS[name])))
    return values or None


def point_in(position: Iterable[float]) -> dict[str, float]:
    """A position as fields of a form or a change. Raises ValueError for other than two numbers."""
    return dict(zip(_POINT, map(float, _numbers("position", position, _POINT)), strict=True))


def place_path(place_id: SupportsIndex) -> str:
    """The path of a place. Raises TypeError where its id is no whole number."""
    return f"/v1/places/{operator.index(place_id)}"


def _numbers(name: str, numbers: Iterable[float], parts: Sequence[str]) -> list[float]:
    """The numbers of a point or a box, of Python or NumPy.

    Raises:
        ValueError: not one number for each of the `parts`.
    """
    values = list(numbers) if isinstance(numbers, Iterable) else []
    if len(values) == len(parts) and all(isinstance(value, Real) for value in values):
        return values
    raise ValueError(f"{name} is the numbers {', '.join(parts)}, not {numbers!r:.60}.")
