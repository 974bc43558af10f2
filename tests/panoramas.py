"""Rendered 360° panoramas with real metadata, and what a camera on their spot would see."""

import io
import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.rendered import rendered_place

Pixels = NDArray[np.uint8]
_XMP = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'rdf:about="" xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" {}>{}</rdf:Description>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)


@lru_cache(maxsize=32)
def scene(seed: int, width: int = 2048) -> Pixels:
    """A sphere of coloured patches, things and lines: (width / 2, width, 3)."""
    size, sides = (width, width // 2), (8, width // 24)
    return np.asarray(rendered_place(seed, size, patches=(18, 9), things=700, sides=sides))


def gpano(elements: bool = False, **properties: object) -> bytes:
    """An XMP packet that calls a photo a panorama, by attributes or by elements."""
    said = {"ProjectionType": "equirectangular", **properties}
    if elements:
        return _XMP.format(
            "", "".join(f"<GPano:{k}>{v}</GPano:{k}>" for k, v in said.items())
        ).encode()
    return _XMP.format(" ".join(f'GPano:{k}="{v}"' for k, v in said.items()), "").encode()


def sizes(width: int, height: int, part: tuple[int, int, int, int] | None = None) -> dict[str, Any]:
    """The properties of a panorama of all of a sphere, or of a part: left, top, width, height."""
    left, top, wide, high = part or (0, 0, width, height)
    return {
        "FullPanoWidthPixels": width,
        "FullPanoHeightPixels": height,
        "CroppedAreaLeftPixels": left,
        "CroppedAreaTopPixels": top,
        "CroppedAreaImageWidthPixels": wide,
        "CroppedAreaImageHeightPixels": high,
    }


def photo(pixels: Pixels, xmp: bytes | None = None, kind: str = "JPEG", **more: object) -> bytes:
    """A file of it, with metadata if there is some."""
    out = io.BytesIO()
    extra = {} if xmp is None else {"xmp": xmp}
    Image.fromarray(pixels).save(out, kind, quality=92, **extra, **more)
    return out.getvalue()


def panorama(seed: int, heading: float | None = None, width: int = 2048) -> bytes:
    """A whole panorama of a rendered sphere, whose middle looks to this heading if it is told."""
    pose: dict[str, Any] = {} if heading is None else {"PoseHeadingDegrees": heading}
    return photo(scene(seed, width), gpano(**sizes(width, width // 2), **pose))


def looking(
    sphere: Pixels, yaw: float, *, width: int = 640, height: int = 480, field: float = 60.0
) -> Pixels:
    """What a level camera sees that looks `yaw` degrees clockwise from the sphere's middle."""
    focal = width / 2 / math.tan(math.radians(field) / 2)
    rows, columns = sphere.shape[:2]
    seen = np.zeros((height, width, 3), np.uint8)
    across = (np.arange(width) + 0.5 - width / 2) / focal
    for row in range(height):
        down = (row + 0.5 - height / 2) / focal
        longitude = np.degrees(np.arctan(across)) + yaw
        latitude = -np.degrees(np.arctan(down / np.sqrt(1 + across**2)))
        x = np.floor((longitude / 360 + 0.5) * columns).astype(int) % columns
        y = np.clip(np.floor((0.5 - latitude / 180) * rows).astype(int), 0, rows - 1)
        seen[row] = sphere[y, x]
    return seen


def tilted(sphere: Pixels, pitch: float, roll: float) -> Pixels:
    """The panorama that a camera takes which looks `pitch` up and is rolled clockwise."""
    rows, columns = sphere.shape[:2]
    longitude, latitude = np.meshgrid(
        ((np.arange(columns) + 0.5) / columns - 0.5) * 2 * math.pi,
        (0.5 - (np.arange(rows) + 0.5) / rows) * math.pi,
    )
    right = np.cos(latitude) * np.sin(longitude)
    up = np.sin(latitude)
    ahead = np.cos(latitude) * np.cos(longitude)
    r, p = math.radians(roll), math.radians(pitch)
    # A camera that is rolled clockwise has its right side lower.
    right, up = right * math.cos(r) + up * math.sin(r), up * math.cos(r) - right * math.sin(r)
    ahead, up = ahead * math.cos(p) - up * math.sin(p), up * math.cos(p) + ahead * math.sin(p)
    x = np.floor((np.arctan2(right, ahead) / 2 / math.pi + 0.5) * columns).astype(int) % columns
    y = np.floor((0.5 - np.arcsin(np.clip(up, -1, 1)) / math.pi) * rows).astype(int)
    return np.asarray(sphere[np.clip(y, 0, rows - 1), x])
