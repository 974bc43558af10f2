"""Where other devices of the network reach a server."""

import fcntl
import socket
import struct
from contextlib import suppress
from ipaddress import IPv4Address, ip_address
from pathlib import Path

ROUTES = Path("/proc/net/route")
_ANY = ("", "0.0.0.0", "::")  # noqa: S104 - compared only
_SIOCGIFADDR = 0x8915
_EVERYWHERE = "00000000"


def network_url(host: str, url: str) -> str | None:
    """The URL that a phone can open, of a server that listens on `host` and is at `url` here.

    None where it listens for this machine alone, or the machine is in no network.
    """
    if host not in _ANY:
        with suppress(ValueError):
            return None if ip_address(host).is_loopback else url
        return None if host == "localhost" else url
    address = lan_address()
    return address and f"http://{address}:{url.rstrip('/').rpartition(':')[2]}/"


def lan_address() -> str | None:
    """This machine's IPv4 address in its network, as the kernel knows it: nobody is asked."""
    for name in _interfaces():
        request = struct.pack("256s", name.encode()[:15])
        with (
            suppress(OSError),  # it has no such address
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking,
        ):
            address = IPv4Address(fcntl.ioctl(asking, _SIOCGIFADDR, request)[20:24])
            if not (address.is_loopback or address.is_link_local):
                return str(address)
    return None


def _interfaces() -> list[str]:
    """The network interfaces, that of the way to everywhere first: others may be containers'."""
    try:
        rows = [line.split() for line in ROUTES.read_text("ascii").splitlines()[1:]]
    except OSError:
        rows = []
    leading = sorted((int(row[6]), row[0]) for row in rows if row[1] == _EVERYWHERE)
    return [name for _, name in leading] + [name for _, name in socket.if_nameindex()]
