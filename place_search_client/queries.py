"""What is asked of a server, as the parameters of its address."""

import operator
from collections.abc import Sequence
from typing import Any, TypedDict


class Filters(TypedDict, total=False):
    """What places must be to be found: all that is given.

    Their photo lies in the `folder`, taken from one day to another, such as 2024-05-31; they have
    each `tag`, and each own `field` is so, as in "floor:ge:3".
    """

    folder: str
    taken_from: str
    taken_to: str
    tag: Sequence[str]
    field: Sequence[str]


def search_query(
    k: int,
    spots: bool,
    verify: bool | None,
    box: tuple[float, float, float, float] | None,
    panorama: bool | None,
    near: tuple[float, float] | None,
    radius_m: float | None,
    filters: Filters,
) -> dict[str, Any]:
    """The parameters of a search."""
    query: dict[str, Any] = {"k": k, **filters}
    if spots:
        query["spots"] = "true"
    for name, asked in (("verify", verify), ("panorama", panorama)):
        if asked is not None:
            query[name] = str(asked).lower()
    return query | box_in(box) | _near(near, radius_m)


def _near(near: tuple[float, float] | None, radius_m: float | None) -> dict[str, Any]:
    query: dict[str, Any] = {} if near is None else {"near": f"{near[0]},{near[1]}"}
    return query if radius_m is None else {**query, "radius_m": radius_m}


def similar_request(
    place_id: int,
    k: int,
    same_spot: bool,
    near: tuple[float, float] | None,
    radius_m: float | None,
    filters: Filters,
) -> tuple[str, str, dict[str, Any]]:
    """The method, the path and the parameters of a question for similar places."""
    query = {"k": k, "same_spot": str(same_spot).lower(), **filters, **_near(near, radius_m)}
    return "GET", f"/v1/places/{operator.index(place_id)}/similar", query


def box_in(box: tuple[float, float, float, float] | None) -> dict[str, str]:
    """A box as a query has it."""
    return {} if box is None else {"box": ",".join(map(str, box))}
