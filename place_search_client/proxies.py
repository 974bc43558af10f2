"""The proxies of the environment, as `HTTPS_PROXY`, that a client uses."""

from ipaddress import IPv6Address, ip_address

import httpx


def mounts_for(server: str) -> dict[str, None]:
    """httpx's `mounts` for a server: no proxy for one on this computer.

    A proxy would reach another computer, and get the photo and the key.
    """
    return dict.fromkeys(("http://", "https://")) if _is_here(httpx.URL(server).host) else {}


def _is_here(host: str) -> bool:
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback or address.is_unspecified
