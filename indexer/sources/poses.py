"""Photos and positions from models of other programs: camera poses on the ground."""

from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Position, Utm, from_geocentric
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.photo_files import PhotoFiles
from place_search.indexer.sources.photo_list import PhotoList, Source

LEVEL = 0.95
"""The share of the variance of camera centres along x and y from which z counts as up."""
_EARTH_M = (6.2e6, 6.5e6)

Floats = NDArray[np.float64]


class PlacedName(NamedTuple):
    """The name of a photo in a model, and the position of its camera.

    `centre` is the position in the model's own frame, where that is not on Earth.
    """

    name: str
    position: Position | None = None
    utm: Utm | None = None
    centre: tuple[float, float, float] | None = None


def camera_centre(quaternion: Iterable[float], translation: Iterable[float]) -> Floats:
    """The centre of a camera, (3,), from its rotation (w, x, y, z) and translation from the world.

    The centre is −Rᵀt; NaN where the quaternion is 0.
    """
    rotation = rotation_of(quaternion)
    return -rotation.T @ np.array(list(translation), np.float64)


def rotation_of(quaternion: Iterable[float]) -> Floats:
    """The (3, 3) matrix of a quaternion (w, x, y, z) of any length."""
    values = np.array(list(quaternion), np.float64)
    norm = np.linalg.norm(values)
    w, x, y, z = values / norm if norm else np.full(4, np.nan)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def place_on_ground(names: list[str], centres: Floats, where: str) -> tuple[list[PlacedName], str]:
    """Photos with the ground positions of their camera centres (N, 3), and a warning or ''.

    Centres in metres from the middle of the Earth become degrees. Other units are taken for metres:
    x and y where z is up, else along the two directions in which the camera moved most, so that
    distances are right. Centres of NaN have no position.
    """
    has_position = np.asarray(np.isfinite(centres).all(axis=1), np.bool_)
    if not has_position.any():
        return [PlacedName(name) for name in names], f"{where} says no camera's position."
    heights = np.linalg.norm(centres[has_position], axis=1)
    if ((heights > _EARTH_M[0]) & (heights < _EARTH_M[1])).all():
        degrees = from_geocentric(centres)
        return [
            PlacedName(name, Position(*row) if is_known else None)
            for name, row, is_known in zip(names, degrees.tolist(), has_position, strict=True)
        ], ""
    ground, tilted = on_ground(centres)
    warning = f"The units of {where} are taken for metres, as it does not name its place on Earth."
    if tilted:
        warning += (
            " Its third axis does not point up, so that distances are right, but not directions."
        )
    return [
        PlacedName(name, utm=Utm(*row), centre=(x, y, z)) if is_known else PlacedName(name)
        for name, row, (x, y, z), is_known in zip(
            names, ground.tolist(), centres.tolist(), has_position, strict=True
        )
    ], warning


def on_ground(centres: Floats) -> tuple[Floats, bool]:
    """(N, 2) coordinates of centres (N, 3), and whether they are along other axes than x and y.

    Those other axes depend on the centres: sets of one frame that are compared go in together.
    """
    has_position = np.isfinite(centres).all(axis=1)
    spread = centres[has_position] - centres[has_position].mean(axis=0)
    variances = (spread**2).sum(axis=0)
    if variances[:2].sum() >= LEVEL * variances.sum():
        return centres[:, :2], False
    _, _, directions = np.linalg.svd(spread, full_matrices=False)
    axes = np.zeros((2, 3))
    axes[: min(2, len(directions))] = directions[:2]
    return (centres - centres[has_position].mean(axis=0)) @ axes.T, True


def source_of_placed(
    data: Path, root: Path, kind: str, placed: Iterable[PlacedName], *warnings: str
) -> Source:
    """The photos of a model under the folder that holds them, in the order of their names.

    Raises:
        SourceError: the model names no photos, or some that do not exist.
    """
    root = root.resolve()
    photos, files = PhotoList(root), PhotoFiles(root)
    missing = []
    ordered = sorted(placed, key=attrgetter("name"))
    for name, position, utm, _ in ordered:
        path = files.find(name)
        if path is None:
            missing.append(name)
        photos.append(path or name, name=name, position=position, utm=utm)
    if not photos:
        raise SourceError(f"{data} names no photos; name the model of some.")
    if missing:
        raise SourceError(
            f"{len(missing)} of the {len(photos)} photos that {data} names are not under {root}, "
            f"the first is '{missing[0]}'; name the folder that holds them with --root."
        )
    nowhere = (np.nan, np.nan, np.nan)
    centres = [photo.centre or nowhere for photo in ordered]
    return Source(
        root,
        photos,
        kind,
        warnings=tuple(filter(None, warnings)),
        centres=np.array(centres) if any(photo.centre for photo in ordered) else None,
    )


def read_numbers(fields: list[str], where: str) -> list[float]:
    """Fields as numbers. Raises `SourceError` where a field is no number."""
    try:
        return [float(field) for field in fields]
    except ValueError:
        raise SourceError(
            f"{where} holds '{' '.join(fields)}' where numbers are needed; export it again."
        ) from None
