"""Who may ask what, and what is counted: each route declares both, and is closed if it does not."""

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
    """Declare who may ask an endpoint; to be written right above it.

    What is `counted`, as all that writes is, one client may ask only so often in a minute.
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
    """Who may ask a route, None where it does not say."""
    declared: Access | None = getattr(getattr(route, "endpoint", None), _ATTRIBUTE, None)
    return declared


def methods_at(routes: Sequence[BaseRoute], scope: Scope, *, writable: bool) -> list[str]:
    """The methods that the address of a request takes; not `writable`, none that changes places."""
    methods = set[str]()
    for route in routes:
        match, _ = route.matches(scope)
        if match is not Match.NONE and isinstance(route, Route):
            if writable or access_of(route) != "write":
                methods |= route.methods or set()
            if match is Match.FULL and scope["method"] not in (route.methods or ()):
                break  # the address is its alone
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def find_route(routes: Sequence[BaseRoute], scope: Scope) -> BaseRoute | None:
    """The route by which a request is judged, None where there is no such address.

    A request whose method its address does not know is judged by another route of that address.
    """
    partial: BaseRoute | None = None
    for route in routes:
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return route
        if match is Match.PARTIAL and partial is None:
            partial = route
    return partial
