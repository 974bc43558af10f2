"""Whom a request is counted for."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import Scope


def client_of(scope: Scope) -> str:
    """Whom to count a request for: the key that it showed, else the address that it came from."""
    key = scope.get("key")
    return f"key {key}" if key else client_network((scope.get("client") or ("",))[0])


def client_network(host: str) -> str:
    """The address to count by: for IPv6 the network of 64 bits that one customer has."""
    try:
        address = client_address(host)
        if isinstance(address, IPv6Address):
            return str(ip_network(f"{address}/64", strict=False))
    except ValueError:
        return host
    return str(address)


def client_address(host: str) -> IPv4Address | IPv6Address:
    """An address, IPv4 as such: a socket for both kinds tells it as ::ffff:192.0.2.1.

    Raises:
        ValueError: it is none.
    """
    address = ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address
