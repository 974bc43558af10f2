"""An OpenSfM dataset as a source: the photos in `images`, at reconstructed or Exif positions.

https://opensfm.org/docs/dataset.html
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import read_regular
from place_search.core.geodesy import (
    Position,
    east_north_up_to_degrees,
    is_null_island,
    is_on_earth,
)
from place_search.core.text import counted, parse_json
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.sources.poses import PlacedName, place_on_ground, source_of_placed
from place_search.indexer.sources.walk import holds_all, list_folder

ACCEPTS = "an OpenSfM dataset"
IMAGES, MODEL, EXIF, REFERENCE = "images", "reconstruction.json", "exif", "reference_lla.json"


def reads(data: Path) -> bool:
    """Whether this is a folder with `images` and OpenSfM's results for them."""
    return holds_all(data, IMAGES, MODEL) or holds_all(data, IMAGES, EXIF)


def read(data: Path, root: Path | None = None) -> Source:
    """All photos of a dataset. Positions are those of its reconstruction, else of its `exif` files.

    Other photos keep the position of their own Exif.

    Raises:
        SourceError: a file of the dataset that is broken, or no photos.
    """
    images = root or data / IMAGES
    reconstructed, warnings = _read_reconstructions(data)
    listing = list_folder(images.resolve())
    placed = [
        reconstructed.get(name) or PlacedName(name, _position(data, name)) for name in listing.names
    ]
    source = source_of_placed(data, images, "opensfm", placed, *warnings)
    return replace(source, left_out=dict(listing.left_out), unlisted=tuple(listing.unlisted))


def _json(path: Path, kind: type) -> Any:
    try:
        content = parse_json(read_regular(path))
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{path} cannot be read ({error}); let OpenSfM write it again."
        ) from error
    if not isinstance(content, kind):
        raise SourceError(f"{path} is not what OpenSfM writes; let it write the file again.")
    return content


def _read_reconstructions(data: Path) -> tuple[dict[str, PlacedName], list[str]]:
    """The photos of the reconstructions by name, and warnings; the largest one counts first.

    Of reconstructions that are not on Earth only the largest gives positions: each has a frame of
    its own.
    """
    by_name: dict[str, PlacedName] = {}
    warnings: list[str] = []
    lost: set[str] = set()
    if not (data / MODEL).is_file():
        return by_name, warnings
    for part in sorted(_json(data / MODEL, list), key=_photos_of, reverse=True):
        try:
            names = list(part["shots"])
            centres = np.array([_centre(part["shots"][name]) for name in names]).reshape(-1, 3)
            reference = _reference(data, part)
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(
                f"{data / MODEL} lacks what a shot needs ({error}); let OpenSfM write it again."
            ) from error
        if reference is not None:
            degrees = east_north_up_to_degrees(centres, *reference)
            placed = [
                PlacedName(name, Position(*row))
                for name, row in zip(names, degrees.tolist(), strict=True)
            ]
        elif not by_name:
            placed, warning = place_on_ground(names, centres, f"{data / MODEL}")
            warnings.append(warning)
        else:
            placed = []
            lost.update(names)
        for photo in placed:
            by_name.setdefault(photo.name, photo)
    lost -= by_name.keys()
    if lost:
        warnings.append(
            f"{data / MODEL} gives no position of {counted(len(lost), 'photo')}, such as "
            f"'{min(lost)}': it does not say where their reconstruction is to the largest one."
        )
    return by_name, warnings


def _photos_of(part: Any) -> int:
    return len(part.get("shots", ())) if isinstance(part, dict) else 0


def _centre(shot: Any) -> NDArray[np.float64]:
    """−Rᵀt of a shot, whose rotation is an axis times its angle (Rodrigues)."""
    axis = np.array(shot["rotation"], np.float64)
    translation = np.array(shot["translation"], np.float64)
    angle = float(np.linalg.norm(axis))
    unit = axis / angle if angle else axis
    # The inverse rotation, so the angle is negative.
    turned = (
        translation * np.cos(angle)
        - np.cross(unit, translation) * np.sin(angle)
        + unit * (unit @ translation) * (1 - np.cos(angle))
    )
    return np.asarray(-turned, np.float64)


def _reference(data: Path, part: Any) -> tuple[float, float, float] | None:
    """Latitude, longitude and altitude of a reconstruction's origin; None where unknown."""
    reference = part.get("reference_lla")
    if reference is None and (data / REFERENCE).is_file():
        reference = _json(data / REFERENCE, dict)
    if reference is None:
        return None
    latitude, longitude, altitude = (
        float(reference[key]) for key in ("latitude", "longitude", "altitude")
    )
    # Without GPS OpenSfM writes 0, 0.
    return None if latitude == longitude == 0 else (latitude, longitude, altitude)


def _position(data: Path, name: str) -> Position | None:
    """The position that OpenSfM read in a photo's Exif; None where it has none."""
    path = data / EXIF / f"{name}.exif"
    if not path.is_file():
        return None
    gps = _json(path, dict).get("gps") or {}
    try:
        position = Position(float(gps["latitude"]), float(gps["longitude"]))
    except (KeyError, TypeError, ValueError):
        return None
    return position if is_on_earth(position) and not is_null_island(position) else None
