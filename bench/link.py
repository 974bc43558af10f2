"""A connection that presses a server with searches."""

import asyncio

_HEAD = (
    b"POST /v1/search?verify=%s HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n"
    b"Content-Length: %d\r\n\r\n"
)
_PART = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'


class Link:
    """A connection that sends searches and little else: a full HTTP client takes more of the
    processor than the server has left for it.
    """

    def __init__(self, address: str) -> None:
        self._host, _, port = address.removeprefix("http://").partition(":")
        self._port = int(port)
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection, for the caller to close."""
        return await asyncio.open_connection(self._host, self._port)

    async def search(self, photo: bytes, *, verify: bool = True) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        if self._open is None:
            self._open = await self.connect()
        reader, writer = self._open
        body = _PART + photo + b"\r\n--x--\r\n"
        head = _HEAD % (b"true" if verify else b"false", len(body))
        writer.write(head + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = await reader.readexactly(length)
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), answer

    def close(self) -> None:
        """Close it; the next search opens a new one."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
