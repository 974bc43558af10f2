"""Whom a request is counted for."""

from ipaddress import IPv6Address, ip_address, ip_network

from starlette.types import Scope


def client_of(scope: Scope) -> str:
    """Whom to count a request for: the key that it showed, else the address that it came from."""
    key = scope.get("key")
    return f"key {key}" if key else client_network((scope.get("client") or ("",))[0])


def client_network(host: str) -> str:
    """The address to count by: for IPv6 the network of 64 bits that one customer has."""
    try:
        if isinstance(ip_address(host), IPv6Address):
            return str(ip_network(f"{host}/64", strict=False))
    except ValueError:
        pass
    return host
