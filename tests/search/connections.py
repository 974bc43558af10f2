"""What tests of hostile connections share: raw sockets to a real server."""

import contextlib
import socket
from typing import Any
from urllib.parse import urlsplit

from tests.waiting import SECONDS


def connect(server: Any, *, source: str = "127.0.0.1") -> socket.socket:
    """A connection to a server, from an address of this machine."""
    address = urlsplit(server.address)
    assert address.hostname is not None
    return socket.create_connection(
        (address.hostname, address.port or 80), timeout=SECONDS, source_address=(source, 0)
    )


def received(link: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    content = b""
    with contextlib.suppress(ConnectionResetError):
        while part := link.recv(1 << 16):
            content += part
    return content


def upload_head(length: int | None, *more: str) -> bytes:
    """The head of a search whose body is so long, or comes in chunks, and how that begins."""
    kind = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = ["POST /v1/search HTTP/1.1", "Host: localhost", kind, *more]
    return "\r\n".join([*lines, "Content-Type: multipart/form-data; boundary=x", "", ""]).encode()


PART = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
END = b"\r\n--x--\r\n"
