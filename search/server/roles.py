"""The role that each route needs, and whether its requests count towards a client's rate.

A route that declares no role is closed.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

Access: TypeAlias = Literal["open", "read", "write"]
"""`open` to everybody; `read` with any key, or with none on a public server; `write` with a key
whose role is write."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_ATTRIBUTE = "access"
_COUNTED = "counted"


def allows(access: Access, *, counted: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Declare the role that an endpoint needs; the decorator stands right above the endpoint.

    Requests that are `counted`, as are all that write, are limited to a client's rate.
    """

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, access)
        setattr(endpoint, _COUNTED, counted or access == "write")
        return endpoint

    return declare


def is_counted(route: BaseRoute) -> bool:
    """Whether requests to a route count towards the rate of a client."""
    return bool(getattr(getattr(route, "endpoint", None), _COUNTED, False))


def access_of(route: BaseRoute) -> Access | None:
    """The role that a client needs for a route; None where the route declares none."""
    declared: Access | None = getattr(getattr(route, "endpoint", None), _ATTRIBUTE, None)
    return declared


def methods_at(routes: Sequence[BaseRoute], scope: Scope, *, writable: bool) -> list[str]:
    """The methods of a request's address; without `writable` those that change no places."""
    methods = set[str]()
    for route in routes:
        match, _ = route.matches(scope)
        if match is not Match.NONE and isinstance(route, Route):
            if writable or access_of(route) != "write":
                methods |= route.methods or set()
            if match is Match.FULL and scope["method"] not in (route.methods or ()):
                break  # no other route has this address
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def find_route(routes: Sequence[BaseRoute], scope: Scope) -> BaseRoute | None:
    """The route whose role a request needs, None for an unknown address.

    For a method that the address does not have, it is another route of the same address.
    """
    partial: BaseRoute | None = None
    for route in routes:
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return route
        if match is Match.PARTIAL and partial is None:
            partial = route
    return partial
