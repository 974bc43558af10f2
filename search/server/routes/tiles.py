"""The ground of the maps from one file: map tiles as pictures, in a PMTiles archive.

Source: the PMTiles version 3 specification, which the package `pmtiles` reads.
"""

import gzip
import html
import io
import logging
import os
import re
from functools import lru_cache
from pathlib import Path

from fastapi import FastAPI
from pmtiles.tile import (
    Compression,
    Entry,
    TileType,
    deserialize_directory,
    deserialize_header,
    find_tile,
    zxy_to_tileid,
)
from starlette.requests import Request
from starlette.responses import Response

from place_search.core.files import open_regular
from place_search.core.text import parse_json
from place_search.search.errors import ServerError
from place_search.search.server.roles import allows

log = logging.getLogger("place_search.tiles")

ADDRESS = "/tiles/{z}/{x}/{y}"
DEEPEST_ZOOM = 30
MAX_DIRECTORIES = 4
"""The largest number of directories from the root to a tile."""
HEADER_BYTES = 127
MOST_BYTES = 8 << 20
"""The largest size of a tile, as stored and unpacked."""
MOST_DIRECTORY_BYTES = 1 << 20
"""The largest size of a directory unpacked: read, it takes some thirty times as much memory."""
KEPT_DIRECTORIES = 8
MEDIA_TYPES = {
    TileType.PNG: "image/png",
    TileType.JPEG: "image/jpeg",
    TileType.WEBP: "image/webp",
    TileType.AVIF: "image/avif",
}
_NUMBER = re.compile(r"[0-9]{1,9}")
_MARKUP = re.compile(r"<[^>]*>")
_ENDLESS = re.compile(rb"[\x80-\xff]{10}")
"""A number of a directory that goes on beyond 64 bits."""


class TileFile:
    """A PMTiles file of pictures, perhaps made by a stranger. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """Raises `ServerError` where it cannot be read, or holds no pictures."""
        try:
            with open_regular(path) as stream:
                self._file = os.dup(stream.fileno())
        except OSError as error:
            raise ServerError(
                f"{path} cannot be read ({error.strerror}); check --tiles-file."
            ) from None
        self._path, self._is_told = path, False
        self._directory = lru_cache(KEPT_DIRECTORIES)(self._read_directory)
        try:
            self._header = deserialize_header(self._bytes(0, HEADER_BYTES))
            self._directory(self._header["root_offset"], self._header["root_length"])
            attribution = str(self._read_about().get("attribution", ""))
        except Exception as error:  # of many kinds: the file is no PMTiles file, or damaged
            os.close(self._file)
            raise ServerError(
                f"{path} is no whole PMTiles file of version 3; give --tiles-file another."
            ) from error
        if self._header["tile_type"] not in MEDIA_TYPES:
            os.close(self._file)
            raise ServerError(
                f"{path} holds no pictures but shapes to be drawn; give --tiles-file raster tiles, "
                "PNG, JPEG, WebP or AVIF."
            )
        self.media_type = MEDIA_TYPES[self._header["tile_type"]]
        self.attribution = html.unescape(_MARKUP.sub("", attribution)).strip()

    @property
    def zooms(self) -> tuple[int, int]:
        """The first and the last zoom level."""
        return self._header["min_zoom"], self._header["max_zoom"]

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The south-west and north-east corners of the covered area, latitude first, in degrees."""
        head = self._header
        low, high = (
            (head["min_lat_e7"], head["min_lon_e7"]),
            (head["max_lat_e7"], head["max_lon_e7"]),
        )
        return (low[0] / 1e7, low[1] / 1e7), (high[0] / 1e7, high[1] / 1e7)

    def tile(self, z: int, x: int, y: int) -> bytes | None:
        """The picture of a tile, or None where the file has none, or is damaged."""
        if not (0 <= z <= DEEPEST_ZOOM and 0 <= x < 1 << z and 0 <= y < 1 << z):
            return None
        try:
            return self._picture(zxy_to_tileid(z, x, y))
        except Exception as error:  # of many kinds
            if not self._is_told:
                self._is_told = True
                log.warning(
                    "%s is damaged: tile %d/%d/%d, if no other, cannot be read (%s); give "
                    "--tiles-file a whole file.",
                    *(self._path, z, x, y, error),
                )
            return None

    def _picture(self, number: int) -> bytes | None:
        offset, length = self._header["root_offset"], self._header["root_length"]
        for _ in range(MAX_DIRECTORIES):
            entry = find_tile(self._directory(offset, length), number)
            if entry is None:
                return None
            if entry.run_length:
                picture = self._bytes(self._header["tile_data_offset"] + entry.offset, entry.length)
                zipped = self._header["tile_compression"] == Compression.GZIP
                return _unpacked(picture) if zipped else picture
            offset, length = self._header["leaf_directory_offset"] + entry.offset, entry.length
        return None

    def _read_about(self) -> dict[str, object]:
        text = self._bytes(self._header["metadata_offset"], self._header["metadata_length"])
        if self._header["internal_compression"] == Compression.GZIP:
            text = _unpacked(text)
        about: dict[str, object] = parse_json(text)
        return about

    def _read_directory(self, offset: int, length: int) -> list[Entry]:
        packed = self._bytes(offset, length)
        if _ENDLESS.search(_unpacked(packed, MOST_DIRECTORY_BYTES)):
            raise ValueError("a number has no end")
        return deserialize_directory(packed)

    def _bytes(self, offset: int, length: int) -> bytes:
        if length > MOST_BYTES or offset + length > os.fstat(self._file).st_size:
            raise ValueError("the file ends before, or the piece is too large")
        return os.pread(self._file, length, offset)


def _unpacked(content: bytes, most: int = MOST_BYTES) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        plain = stream.read(most + 1)
    if len(plain) > most:
        raise ValueError("a piece unpacks to far too much")
    return plain


def add_tiles(app: FastAPI, file: TileFile) -> None:
    """Serve the tiles of a file; the answer to a missing tile is empty."""

    @allows("open")
    def send_tile(request: Request) -> Response:
        parts = [request.path_params[name] for name in "zxy"]
        are_numbers = all(_NUMBER.fullmatch(part) for part in parts)
        picture = file.tile(*map(int, parts)) if are_numbers else None
        # An error status would fill the browser's console, one line for each missing tile.
        if picture is None:
            return Response(status_code=204)
        headers = {"Cache-Control": "public, max-age=86400"}
        return Response(picture, media_type=file.media_type, headers=headers)

    app.add_route(ADDRESS, send_tile, include_in_schema=False)
