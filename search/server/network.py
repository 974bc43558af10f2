"""The addresses of a server: the socket that it listens on, and its URL in the network."""

import errno
import fcntl
import socket
import struct
from contextlib import suppress
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from place_search.search.errors import ServerError

BACKLOG = 128
"""The number of connections that the system queues until the server accepts them."""
ROUTES = Path("/proc/net/route")
_ANY = ("", "0.0.0.0", "::")  # noqa: S104 - compared only
"""Hosts that stand for all addresses of the machine."""
_SIOCGIFADDR = 0x8915
_DEFAULT_ROUTE = "00000000"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address. Raises ServerError where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off, 40 ms a reply, only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ServerError(_why_not(host, port, error)) from None
    return listener


def is_loopback(listener: socket.socket) -> bool:
    """Whether this machine alone reaches a socket."""
    return ip_address(listener.getsockname()[0]).is_loopback


def address_of(host: str, listener: socket.socket) -> str:
    """The URL by which this machine reaches a socket that listens on `host`."""
    port = listener.getsockname()[1]
    shown = "localhost" if host in _ANY else host
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"


def network_url(host: str, url: str) -> str | None:
    """The URL for other devices, of a server that listens on `host` with the local `url`.

    None where the server listens for this machine alone, or the machine is in no network.
    """
    if host not in _ANY:
        with suppress(ValueError):
            return None if ip_address(host).is_loopback else url
        return None if host == "localhost" else url
    address = lan_address()
    return address and f"http://{address}:{url.rstrip('/').rpartition(':')[2]}/"


def lan_address() -> str | None:
    """This machine's IPv4 address in its network, from the kernel, without sending anything."""
    for name in _interfaces():
        request = struct.pack("256s", name.encode()[:15])
        with (
            suppress(OSError),  # the interface has no IPv4 address
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as query_socket,
        ):
            address = IPv4Address(fcntl.ioctl(query_socket, _SIOCGIFADDR, request)[20:24])
            if not (address.is_loopback or address.is_link_local):
                return str(address)
    return None


def _interfaces() -> list[str]:
    """The network interfaces, that of the default route first: others may be of containers."""
    try:
        rows = [line.split() for line in ROUTES.read_text("ascii").splitlines()[1:]]
    except OSError:
        rows = []
    leading = sorted((int(row[6]), row[0]) for row in rows if row[1] == _DEFAULT_ROUTE)
    return [name for _, name in leading] + [name for _, name in socket.if_nameindex()]


def _why_not(host: str, port: int, error: OSError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return f"{port} is no port; choose one from 0 to 65535 with --port."
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use by another program; stop that or choose another "
            "port with --port."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used by this user; choose one above 1023 with --port."
    return f"Cannot listen on {host} port {port} ({error.strerror}); check --host."
