"""360° panoramas: their metadata, and the level views that they are cut into.

An equirectangular panorama shows all directions, which no descriptor of photos distinguishes. The
GPano properties of its XMP (Photo Sphere metadata) mark it, and give the camera's pose.
"""

import io
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from place_search.core.files import open_regular
from place_search.core.geodesy import compass_degrees
from place_search.photos.decoding import decode_photo, open_header
from place_search.photos.opencv import cv2
from place_search.photos.photo import Facing, Photo, Size, resize_pixels
from place_search.photos.pixels import orientation_of
from place_search.photos.positions import read_exif, xmp_packet

VIEWS = 12
"""Views around the horizon, 30° apart: each direction is in two views, so that none is missed.

Pittsburgh 250k and Tokyo 24/7 were cut from panoramas in this number, width and size. Eight views
of 75° take two thirds of the time, but photos of a walk then found 89 of 100 panoramas, not 99.
"""
FIELD_OF_VIEW = 60.0
"""The width of a view in degrees."""
OVERLAP = VIEWS * FIELD_OF_VIEW / 360
"""The number of views that show each direction."""
VIEW_SIZE: Size = (640, 480)
"""The width and height of a view in pixels."""
VIEW_QUALITY = 92
"""The JPEG quality of kept views."""
LEAST_SEEN = 0.75
"""The share of a view that a panorama of a part of the sphere must show."""
LEAST_WIDTH = 2048
"""The width in pixels from which a photo of 2:1 without metadata is likely a panorama."""
_FOCAL = VIEW_SIZE[0] / 2 / math.tan(math.radians(FIELD_OF_VIEW / 2))
SPHERE_WIDTH = round(2 * math.pi * _FOCAL)
"""The width in pixels of a whole sphere with the resolution of a view's middle."""
_NEAR = 0.02
"""The relative difference up to which lengths count as equal, as cameras round them."""
_PROPERTY = re.compile(rb"""GPano:([A-Za-z]{1,40})\s*(?:=\s*["']|>)\s*([^\s"'<>]{1,40})\s*["'<]""")
_BROKEN = (
    "The photo's metadata calls it a 360° panorama but gives no sizes that fit it, so it was taken "
    "as one plain photo."
)
PARTLY = "The panorama shows too little of the sphere to be cut into views, so it was taken whole."
UNMARKED = (
    "The photo is twice as wide as high, as 360° panoramas are, but its metadata does not call it "
    "one, so it was taken as one plain photo"
)

NO_SPHERE = (
    "The photo is no 360° panorama that can be cut: it is not equirectangular, not twice as wide "
    f"as high, or less than {LEAST_WIDTH:,} pixels wide, so it was taken as one plain photo."
)


class Part(NamedTuple):
    """The part of the sphere that a picture shows, in units of the whole sphere."""

    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0


WHOLE = Part()


@dataclass(frozen=True, slots=True)
class Panorama:
    """The geometry of a panorama: the part of the sphere that it shows, and the camera's pose.

    `heading` is the direction of the sphere's middle in degrees from north, None where unknown;
    `pitch` is its angle above the horizon, `roll` the clockwise turn of the camera, in degrees.
    """

    part: Part = WHOLE
    heading: float | None = None
    pitch: float = 0.0
    roll: float = 0.0
    notes: tuple[str, ...] = ()

    def size_for(self, width: int, height: int) -> Size:
        """The size at which the picture has the resolution of its views."""
        scale = SPHERE_WIDTH * self.part.width / width
        return math.ceil(width * scale), math.ceil(height * scale)

    def facing(self, number: int) -> Facing:
        """The direction of view `number`."""
        yaw = number * 360.0 / VIEWS
        return Facing(yaw, None if self.heading is None else compass_degrees(self.heading + yaw, 2))


class Inspection(NamedTuple):
    """The result of reading a header: the panorama, if it is one, else notes on why it is not."""

    panorama: Panorama | None
    notes: tuple[str, ...] = ()
    is_unmarked: bool = False

    def why_whole(self, *, asked: bool) -> tuple[str, ...]:
        """Notes on a photo that was not cut, though perhaps somebody `asked` to have it cut."""
        notes = self.notes if self.panorama is None else (PARTLY,)
        if asked and not notes:
            notes = (NO_SPHERE,)
        if self.is_unmarked:
            notes += (f"{UNMARKED}; ask with panorama=true (--panorama) to have it cut.",)
        return notes


NO_PANORAMA = Inspection(None)


def inspect_panorama(source: Path | bytes, *, assumed: bool = False) -> Inspection:
    """Inspect whether a photo is a panorama that is cut into views, by its header alone.

    A photo of 2:1 without metadata `is_unmarked`, unless it is `assumed` to be a panorama.
    """
    try:
        with _header(source) as image:
            properties = dict(_PROPERTY.findall(xmp_packet(image)))
            width, height = image.size
            # Reading the Exif of a PNG decodes its pixels; a TIFF is turned already.
            if image.format not in ("PNG", "TIFF") and orientation_of(read_exif(image, [])) >= 5:
                width, height = height, width
    except MemoryError:
        raise
    except Exception:  # decoding the photo reports the error
        return NO_PANORAMA
    kind = properties.get(b"ProjectionType", b"").decode("latin-1").lower()
    if kind == "equirectangular":
        inspection = _from_properties(properties, width, height)
        if inspection.panorama or not (assumed and _is_sphere(width, height)):
            return inspection
    elif kind or not _is_sphere(width, height) or width < LEAST_WIDTH:
        return NO_PANORAMA
    return Inspection(Panorama()) if assumed else NO_PANORAMA._replace(is_unmarked=True)


def cut_views(pixels: NDArray[np.uint8], panorama: Panorama) -> Iterator[tuple[int, Any]]:
    """The level views of a panorama's (h, w, 3) RGB pixels: their numbers and (480, 640, 3) pixels.

    Views that lie mostly outside of the picture are left out. Small gaps in others are filled with
    the nearest pixels.
    """
    rows, columns = pixels.shape[:2]
    part = panorama.part
    is_full_circle = part.width > 1 - 1e-6
    margined = _with_margin(pixels, is_full_circle)
    for number in range(VIEWS):
        longitude, latitude = _directions(number * 360.0 / VIEWS, panorama)
        x = (longitude / (2 * math.pi) + 0.5 - part.left) / part.width
        y = (0.5 - latitude / math.pi - part.top) / part.height
        is_inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
        if is_inside.mean() < LEAST_SEEN:
            continue
        # Pixel centres lie half a pixel inside; the left edge continues at the right edge.
        x = (x % 1.0 if is_full_circle else np.clip(x, 0, 1)) * columns - 0.5
        y = np.clip(y, 0, 1) * rows - 0.5
        view = cv2.remap(
            margined,
            (x + _MARGIN).astype(np.float32),
            y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        yield number, np.asarray(view, np.uint8)


def read_views(source: Path | bytes, panorama: Panorama, **options: Any) -> Photo:
    """Decode a panorama with its views, each a `Photo`; options as `decode_photo`.

    A panorama that shows too little of the sphere has no views.

    Raises:
        PhotoError: the panorama cannot be read.
    """
    photo = decode_photo(source, target_size=panorama.size_for, **options)
    size = panorama.size_for(photo.width, photo.height)
    pixels = photo.pixels
    if pixels.shape[1] > size[0]:
        pixels = resize_pixels(pixels, size)
    width, height = VIEW_SIZE
    views = tuple(
        Photo(view, width, height, photo.position, (), photo.taken, facing=panorama.facing(number))
        for number, view in cut_views(pixels, panorama)
    )
    return replace(photo, views=views, notes=(*photo.notes, *panorama.notes))


_MARGIN = 1
"""Columns that are repeated at each side, so that views have no seam."""


def _with_margin(pixels: NDArray[np.uint8], is_full_circle: bool) -> NDArray[np.uint8]:
    border = cv2.BORDER_WRAP if is_full_circle else cv2.BORDER_REPLICATE
    wide = cv2.copyMakeBorder(pixels, 0, 0, _MARGIN, _MARGIN, border)
    return np.asarray(wide, np.uint8)


def _directions(yaw: float, panorama: Panorama) -> tuple[NDArray[Any], NDArray[Any]]:
    """Longitude and latitude on the sphere, in radians, of each pixel of a level view."""
    width, height = VIEW_SIZE
    x, y = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    # Right, down and ahead of a level camera.
    rays = np.stack([x, y, np.full_like(x, _FOCAL)], axis=-1).astype(np.float32)
    turned = rays @ (_turn(yaw).T @ _tilt(panorama)).astype(np.float32)
    right, down, ahead = np.moveaxis(turned / np.linalg.norm(turned, axis=-1)[..., None], -1, 0)
    return np.arctan2(right, ahead), np.arcsin(np.clip(-down, -1, 1))


def _turn(yaw: float) -> NDArray[np.float64]:
    """The rotation of a direction by `yaw` degrees clockwise, as seen from above."""
    c, s = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _tilt(panorama: Panorama) -> NDArray[np.float64]:
    """The rotation from directions of the sphere to level directions."""
    p, r = math.radians(panorama.pitch), math.radians(panorama.roll)
    pitch = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    roll = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    return np.asarray(pitch @ roll, np.float64)


@contextmanager
def _header(source: Path | bytes) -> Iterator[Image.Image]:
    stream = io.BytesIO(source) if isinstance(source, bytes) else open_regular(source)
    with stream, open_header(stream, "the photo") as image:
        yield image


def _from_properties(properties: Mapping[bytes, bytes], width: int, height: int) -> Inspection:
    part = _part(properties, width, height)
    if part is None:
        return NO_PANORAMA._replace(notes=(_BROKEN,))
    notes: list[str] = []
    angles = [
        _angle(properties, name, notes)
        for name in (b"PoseHeadingDegrees", b"PosePitchDegrees", b"PoseRollDegrees")
    ]
    heading = None if angles[0] is None else angles[0] % 360
    return Inspection(Panorama(part, heading, angles[1] or 0.0, angles[2] or 0.0, tuple(notes)))


def _part(properties: Mapping[bytes, bytes], width: int, height: int) -> Part | None:
    """The part of the sphere that a picture shows; None where the sizes contradict each other.

    Only the ratios of sizes count: the picture may have been shrunk since.
    """
    names = (
        *(b"FullPanoWidthPixels", b"FullPanoHeightPixels", b"CroppedAreaLeftPixels"),
        *(b"CroppedAreaTopPixels", b"CroppedAreaImageWidthPixels", b"CroppedAreaImageHeightPixels"),
    )
    numbers = [_number(properties.get(name)) for name in names]
    if not any(name in properties for name in names):
        return WHOLE if _is_sphere(width, height) else None
    if any(number is None or not 0 <= number <= 1e6 for number in numbers):
        return None
    full_width, full_height, left, top, wide, high = (float(number or 0) for number in numbers)
    if min(full_width, full_height, wide, high) < 1 or not _is_sphere(full_width, full_height):
        return None
    part = Part(left / full_width, top / full_height, wide / full_width, high / full_height)
    beyond = max(part.left + part.width, part.top + part.height) > 1 + _NEAR
    stretched = abs(wide / high / (width / height) - 1) > _NEAR
    return None if beyond or stretched else part


def _is_sphere(width: float, height: float) -> bool:
    return abs(width / height / 2 - 1) <= _NEAR


def _angle(properties: Mapping[bytes, bytes], name: bytes, notes: list[str]) -> float | None:
    """An angle in degrees; None where it is missing, or, with a note, where it is broken."""
    text = properties.get(name)
    number = _number(text)
    if text is None or (number is not None and abs(number) <= 360):
        return number
    angle_name = name.decode().removeprefix("Pose").removesuffix("Degrees").lower()
    notes.append(f"The panorama's {angle_name} is broken and was left out.")
    return None


def _number(text: bytes | None) -> float | None:
    try:
        number = float(text) if text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
