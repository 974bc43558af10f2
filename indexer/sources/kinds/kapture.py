"""A kapture folder as a source: its photos, at positions of its GNSS records or trajectories.

The format 1.1 of https://github.com/naver/kapture.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Position, epsg_to_degrees, is_null_island, is_on_earth
from place_search.core.tables import read_lines
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.sources.poses import (
    PlacedName,
    place_on_ground,
    read_numbers,
    rotation_of,
    source_of_placed,
)
from place_search.indexer.sources.walk import holds_all

ACCEPTS = "a kapture folder"
SENSORS = "sensors"
_RECORDS, _GNSS = "records_camera.txt", "records_gnss.txt"
_TRAJECTORIES, _RIGS = "trajectories.txt", "rigs.txt"

Moment = tuple[str, str]
"""A timestamp and a device, as kapture writes them."""
Pose = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Rotation (3, 3) and translation (3,) from world, or rig, to device."""


def reads(data: Path) -> bool:
    """Whether this is a folder with a list of sensors and one of photos."""
    return holds_all(data / SENSORS, "sensors.txt", _RECORDS)


def read(data: Path, root: Path | None = None) -> Source:
    """The photos of a kapture, which are under `root`: by default its sensors/records_data.

    Positions come from the GNSS records of the photos' timestamps, else from the trajectories.

    Raises:
        SourceError: a list that is broken, or photos that do not exist.
    """
    folder = data / SENSORS
    photos = [(fields[0], fields[1], fields[2]) for fields in _rows(folder / _RECORDS, 3)]
    positions = _gnss(folder)
    warning = ""
    if positions:
        placed = [
            PlacedName(name, _at(positions, timestamp, device))
            for timestamp, device, name in photos
        ]
        lacking = sum(photo.position is None for photo in placed)
        if lacking:
            warning = f"{lacking} of the {len(placed)} photos of {data} have no GNSS record."
    elif (folder / _TRAJECTORIES).is_file():
        centres = _centres(folder)
        nowhere = np.full(3, np.nan)
        rows = np.array([centres.get((time, device), nowhere) for time, device, _ in photos])
        placed, warning = place_on_ground([name for *_, name in photos], rows, f"{data}")
    else:
        placed = [PlacedName(name) for *_, name in photos]
    return source_of_placed(data, root or folder / "records_data", "kapture", placed, warning)


def _rows(path: Path, fields: int) -> Iterator[list[str]]:
    """The rows of a table of kapture, of at least `fields` fields."""
    for line in read_lines(path, error=SourceError):
        if line.startswith("#"):
            continue
        row = [field.strip() for field in line.split(",")]
        if len(row) < fields:
            raise SourceError(
                f"{path} has '{line[:60]}' where {fields} fields are needed; export the kapture "
                "again."
            )
        yield row


def _gnss(folder: Path) -> dict[str, dict[str, Position]]:
    """Positions by timestamp and device, in degrees whatever the device's coordinates are."""
    if not (folder / _GNSS).is_file():
        return {}
    systems = {
        row[0]: row[3] for row in _rows(folder / "sensors.txt", 3) if row[2] == "gnss" and row[3:]
    }
    positions: dict[str, dict[str, Position]] = {}
    for row in _rows(folder / _GNSS, 4):
        x, y = read_numbers(row[2:4], f"{folder / _GNSS}")
        try:
            position = epsg_to_degrees(systems.get(row[1], "EPSG:4326"), x, y)
        except ValueError as error:
            raise SourceError(
                f"{folder / 'sensors.txt'} gives {row[1]} the coordinates {error}, which are not "
                "known; name them as EPSG:4326."
            ) from error
        if is_on_earth(position) and not is_null_island(position):
            positions.setdefault(row[0], {})[row[1]] = position
    return positions


def _at(positions: dict[str, dict[str, Position]], time: str, device: str) -> Position | None:
    """The position by the camera's receiver, as kapture's importers name it, else by any."""
    received = positions.get(time, {})
    return received.get(f"GPS_{device}") or next(iter(received.values()), None)


def _poses(path: Path) -> dict[Moment, Pose]:
    """Poses by the first two fields; those without rotation or translation are left out."""
    return {
        (row[0], row[1]): (rotation_of(numbers[:4]), np.array(numbers[4:]))
        for row in _rows(path, 9)
        if all(row[2:9])
        for numbers in [read_numbers(row[2:9], f"{path}")]
    }


def _centres(folder: Path) -> dict[Moment, NDArray[np.float64]]:
    """The centre of each device at each time; of devices on a rig by the rig's pose."""
    poses = _poses(folder / _TRAJECTORIES)
    mounted = _poses(folder / _RIGS) if (folder / _RIGS).is_file() else {}
    for (time, device), (rotation, translation) in list(poses.items()):
        for (rig, sensor), (turn, shift) in mounted.items():
            if rig == device:
                poses.setdefault((time, sensor), (turn @ rotation, turn @ translation + shift))
    return {moment: -rotation.T @ translation for moment, (rotation, translation) in poses.items()}
