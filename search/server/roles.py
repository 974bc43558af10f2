"""Who may ask what: each route declares its role, and one that declares none is closed."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

Access: TypeAlias = Literal["open", "read", "write"]
"""`open` to everybody; `read` with any key, or with none on a public server; `write` with a key
whose role is write."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_ATTRIBUTE = "access"


def allows(access: Access) -> Callable[[Endpoint], Endpoint]:
    """Declare who may ask an endpoint; to be written right above it."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, access)
        return endpoint

    return declare


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


def find_access(routes: Sequence[BaseRoute], scope: Scope) -> Access | None:
    """Who may send a request: what its route declares, `open` where there is no such address.

    A request whose method its address does not know is judged by another route of that address.
    """
    partial: BaseRoute | None = None
    for route in routes:
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return access_of(route)
        if match is Match.PARTIAL and partial is None:
            partial = route
    return "open" if partial is None else access_of(partial)
