"""Map tiles from a PMTiles file."""

import asyncio
import gzip
from pathlib import Path
from zlib import crc32

import httpx
import pytest
from pmtiles.tile import Compression, TileType

from place_search.search.engine import Engine
from place_search.search.errors import ServerError
from place_search.search.server.app import create_app
from place_search.search.server.routes.tiles import MOST_BYTES, MOST_DIRECTORY_BYTES, TileFile
from place_search.search.server.settings import ServerSettings
from tests.search.tile_file import picture, write_tiles


def ask(engine: Engine, file: Path, *paths: str) -> list[httpx.Response]:
    async def go() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(engine, ServerSettings(tiles_file=file)))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(go())


def test_tiles_are_served_with_what_the_pages_must_know(engine: Engine, tmp_path: Path) -> None:
    file = write_tiles(
        tmp_path / "world.pmtiles",
        range(1, 4),
        min_lon_e7=110000000,
        min_lat_e7=470000000,
        max_lon_e7=120000000,
        max_lat_e7=490000000,
    )
    about, tile, page = ask(engine, file, "/page.json", "/tiles/3/4/2", "/map")
    assert about.json()["tiles"] == {
        "url": "/tiles/{z}/{x}/{y}",
        "attribution": "© The mappers & friends",
        "bounds": [[47.0, 11.0], [49.0, 12.0]],
        "min_zoom": 1,
        "max_zoom": 3,
    }
    assert tile.content == picture(3, 4, 2)
    assert tile.headers["content-type"] == "image/png"
    assert "max-age" in tile.headers["cache-control"]
    assert "img-src 'self' blob: data:;" in page.headers["content-security-policy"]


def test_where_there_is_no_tile_there_is_nothing(engine: Engine, tmp_path: Path) -> None:
    file = write_tiles(tmp_path / "world.pmtiles", range(1, 3))
    nowhere = [
        *("/tiles/0/0/0", "/tiles/3/0/0", "/tiles/2/4/0", "/tiles/2/0/4", "/tiles/99/0/0"),
        *("/tiles/-1/0/0", "/tiles/a/b/c", "/tiles/2/0/" + "9" * 5000, "/tiles/2/0/1.png"),
        *("/tiles/2/0/%00", "/tiles/2/0/..%2f1", "/tiles/2/٣/0"),
    ]
    for response in ask(engine, file, *nowhere):
        assert response.status_code in (204, 404)
        assert b"PNG" not in response.content
    assert [response.status_code for response in ask(engine, file, *nowhere[:6])] == [204] * 6


def test_every_tile_is_found_through_directories_of_directories(tmp_path: Path) -> None:
    def draw(z: int, x: int, y: int) -> bytes:
        name = f"{z}/{x}/{y}".encode()
        return name + bytes(crc32(name) % 300)

    file = TileFile(write_tiles(tmp_path / "many.pmtiles", range(8), draw=draw))
    assert file._header["leaf_directory_length"] > 0
    for z in range(8):
        for x, y in ((0, 0), ((1 << z) - 1, (1 << z) - 1), ((1 << z) // 3, (1 << z) // 2)):
            assert file.tile(z, x, y) == draw(z, x, y)


def test_compressed_pictures_and_equal_neighbours(tmp_path: Path) -> None:
    sea = gzip.compress(b"sea")
    file = TileFile(
        write_tiles(
            tmp_path / "sea.pmtiles",
            range(3),
            draw=lambda z, x, y: sea,
            kind=TileType.WEBP,
            compression=Compression.GZIP,
        )
    )
    assert file.media_type == "image/webp"
    assert {file.tile(2, x, y) for x in range(4) for y in range(4)} == {b"sea"}


def crafted(tmp_path: Path, name: str) -> Path:
    """A file whose header and root are in order, and whose rest is not."""

    def varint(number: int) -> bytes:
        low = number & 127
        return bytes([low | 128]) + varint(number >> 7) if number > low else bytes([low])

    def directory(run_length: int, length: int, offset: int) -> bytes:
        numbers = (1, 0, run_length, length, offset + 1)
        return gzip.compress(b"".join(map(varint, numbers)))

    path = write_tiles(tmp_path / "crafted.pmtiles", range(1), draw=lambda *_: b"x" * 2000)
    if name in ("bomb", "no gzip"):
        return write_tiles(
            path,
            range(1),
            draw=lambda *_: gzip.compress(bytes(MOST_BYTES + 1)) if name == "bomb" else b"picture",
            compression=Compression.GZIP,
        )
    content = bytearray(path.read_bytes())
    if name == "a leaf":
        root = directory(0, 2000, 0)  # pictures in place of a directory
    elif name in ("endless", "many entries"):
        entries = MOST_DIRECTORY_BYTES // 4
        whole = varint(entries) + bytes(entries) + b"\1" * (3 * entries)
        leaf = gzip.compress(b"\xff" * 100_000 if name == "endless" else whole)
        root = directory(0, len(leaf), len(content))
        content += leaf
        content[40:48] = bytes(8)
    else:
        root = directory(1, *{"beyond": (2000, 1 << 63), "large": (1 << 62, 0)}[name])
    content[8:24] = len(content).to_bytes(8, "little") + len(root).to_bytes(8, "little")
    path.write_bytes(content + root)
    return path


@pytest.mark.parametrize(
    "name", ["a leaf", "endless", "many entries", "beyond", "large", "bomb", "no gzip"]
)
def test_a_crafted_file_is_told_once_and_has_no_tiles(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    answers = ask(engine, crafted(tmp_path, name), "/tiles/0/0/0", "/tiles/0/0/0")
    assert [answer.status_code for answer in answers] == [204, 204]
    assert len(caplog.messages) == 1
    assert "is damaged: tile 0/0/0" in caplog.messages[0]


def test_a_file_that_is_none_is_refused(engine: Engine, tmp_path: Path) -> None:
    whole = write_tiles(tmp_path / "whole.pmtiles", range(2)).read_bytes()
    shapes = write_tiles(tmp_path / "shapes.pmtiles", range(2), kind=TileType.MVT)
    with pytest.raises(ServerError, match="holds no pictures but shapes"):
        TileFile(shapes)
    with pytest.raises(ServerError, match=r"cannot be read \(No such file"):
        TileFile(tmp_path / "none.pmtiles")
    listing = gzip.compress(b"[]")  # facts that are no JSON object
    where = len(whole).to_bytes(8, "little") + len(listing).to_bytes(8, "little")
    listed = whole[:24] + where + whole[40:] + listing
    for content in (b"", b"x" * 500, whole[:120], whole[:140], b"PMTiles\x02" + whole[8:], listed):
        (tmp_path / "broken.pmtiles").write_bytes(content)
        with pytest.raises(ServerError, match="no whole PMTiles file of version 3"):
            TileFile(tmp_path / "broken.pmtiles")
    both = ServerSettings(tiles_file=shapes, tiles_url="https://a.example/{z}/{x}/{y}.png")
    with pytest.raises(ServerError, match="not both"):
        create_app(engine, both)
