"""Writing small PMTiles files."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer


def picture(z: int, x: int, y: int) -> bytes:
    """A PNG of one colour for each tile."""
    out = io.BytesIO()
    Image.new("RGB", (256, 256), (40 + 20 * z, x % 256, y % 256)).save(out, "PNG")
    return out.getvalue()


def write_tiles(
    path: Path,
    zooms: range,
    *,
    draw: Callable[[int, int, int], bytes] = picture,
    kind: TileType = TileType.PNG,
    compression: Compression = Compression.NONE,
    attribution: str = '© <a href="https://a.example/">The mappers</a> &amp; friends',
    **header: Any,
) -> Path:
    """Tiles of the whole world for each zoom."""
    with path.open("wb") as file:
        writer = Writer(file)
        places = [(z, x, y) for z in zooms for x in range(1 << z) for y in range(1 << z)]
        for place in sorted(places, key=lambda place: zxy_to_tileid(*place)):
            writer.write_tile(zxy_to_tileid(*place), draw(*place))
        about = {"tile_type": kind, "tile_compression": compression, **header}
        writer.finalize(about, {"attribution": attribution})
    return path
