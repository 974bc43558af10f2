"""The client that a request is counted for."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import Scope


def client_of(scope: Scope) -> str:
    """The client to count a request for: its key, else the network of its address."""
    key = scope.get("key")
    return f"key {key}" if key else client_network((scope.get("client") or ("",))[0])


def client_network(host: str) -> str:
    """The network to count by: an IPv4 address, or the 64 bits of IPv6 that one customer has."""
    try:
        address = client_address(host)
        if isinstance(address, IPv6Address):
            return str(ip_network(f"{address}/64", strict=False))
    except ValueError:
        return host
    return str(address)


def client_address(host: str) -> IPv4Address | IPv6Address:
    """An address; one such as ::ffff:192.0.2.1, which a socket for both kinds gives, as IPv4.

    Raises:
        ValueError: `host` is no address.
    """
    address = ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address
