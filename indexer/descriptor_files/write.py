"""Writing files of descriptors for place-search, hloc, kapture and NumPy."""

import io
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from place_search.core.errors import PlaceSearchError
from place_search.core.files import replacing, require_empty, telling_unwritable, write_whole
from place_search.indexer.descriptor_files.read import (
    HLOC_KEY,
    KAPTURE_CARD,
    KAPTURE_ENDING,
    KAPTURE_FOLDER,
)

DescriptorFormat: TypeAlias = Literal["place-search", "hloc", "numpy", "kapture"]
ENDINGS: Mapping[DescriptorFormat, tuple[str, ...]] = {
    "place-search": (".h5",),
    "hloc": (".h5",),
    "numpy": (".npy", ".npz"),
    "kapture": ("",),
}
"""The endings of file names by format; kapture's is a folder."""
_SENSORS = "sensors/sensors.txt"
"""The file that every kapture folder has."""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Descriptors of photos: `rows` (N, D) float32, their `names`, and the model that made them.

    `paths` are those of the photos.
    """

    rows: NDArray[np.float32]
    names: Sequence[str]
    paths: Sequence[Path]
    model: str
    fingerprint: str


def write_descriptors(path: Path, form: DescriptorFormat, descriptors: Descriptors) -> None:
    """Write descriptors to a file, or for kapture into a folder, as a whole or not at all.

    Raises:
        PlaceSearchError: the file cannot be written, or the format cannot hold such names.
    """
    if form in ("hloc", "kapture"):
        _require_names(path, form, descriptors.names)
    with telling_unwritable(path):
        if form == "kapture":
            _write_kapture(path, descriptors)
            return
        with replacing(path) as part:
            _WRITERS[form](part, descriptors, path.suffix.lower())


def require_kapture(folder: Path, model: str) -> None:
    """Refuse a folder of other files than kapture's, or one that has descriptors of the model.

    Raises:
        PlaceSearchError: the folder is such a one, or a file.
    """
    if folder.exists() and not folder.is_dir():
        raise PlaceSearchError(f"{folder} is a file; name a folder for kapture.")
    features = folder / KAPTURE_FOLDER
    if (features / model).exists():
        raise PlaceSearchError(
            f"{features / model} exists already; delete it, or name another folder than {folder}."
        )
    if folder.exists() and not features.exists() and not (folder / _SENSORS).exists():
        require_empty(folder, PlaceSearchError)


def _require_names(path: Path, form: str, names: Sequence[str]) -> None:
    """Make sure that names are distinct paths down a tree. Raises `PlaceSearchError`."""
    earlier: set[str] = set()
    for name in names:
        parts = PurePosixPath(name)
        if name in earlier or parts.is_absolute() or ".." in parts.parts or "." in name.split("/"):
            why = "stands there twice" if name in earlier else "does not lead down from one folder"
            raise PlaceSearchError(
                f"{path} cannot be written for {form}, because the name '{name}' {why}; describe "
                "the folder of the photos, so that names are relative to it."
            )
        earlier.add(name)


@contextmanager
def _hdf5(part: Path, descriptors: Descriptors) -> Iterator[Any]:
    """An HDF5 file with the model of its descriptors.

    It is made in memory, as HDF5 raises no OSError where the disk is full.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        yield file
        file.attrs["model"] = descriptors.model
        file.attrs["fingerprint"] = descriptors.fingerprint
    part.write_bytes(buffer.getvalue())


def _write_own(part: Path, descriptors: Descriptors, _ending: str) -> None:
    with _hdf5(part, descriptors) as file:
        file.create_dataset("descriptors", data=descriptors.rows)
        names: Any = list(descriptors.names)
        file.create_dataset("name", data=names, dtype=h5py.string_dtype())


def _write_hloc(part: Path, descriptors: Descriptors, _ending: str) -> None:
    with _hdf5(part, descriptors) as file:
        for name, row in zip(descriptors.names, descriptors.rows, strict=True):
            file.create_dataset(f"{name}/{HLOC_KEY}", data=row)


def _write_numpy(part: Path, descriptors: Descriptors, ending: str) -> None:
    with part.open("wb") as stream:
        if ending == ".npy":
            # Given a file, numpy does not say that the disk is full.
            np.save(SimpleNamespace(write=stream.write), descriptors.rows)
            return
        np.savez(
            stream,
            names=np.array(descriptors.names),
            descriptors=descriptors.rows,
            model=np.array(descriptors.model),
            fingerprint=np.array(descriptors.fingerprint),
        )


_WRITERS: Mapping[str, Callable[[Path, Descriptors, str], None]] = {
    "place-search": _write_own,
    "hloc": _write_hloc,
    "numpy": _write_numpy,
}


def _write_kapture(folder: Path, descriptors: Descriptors) -> None:
    """Write a type of global features, and the list of photos where the folder has none yet."""
    require_kapture(folder, descriptors.model)
    target = folder / KAPTURE_FOLDER / descriptors.model
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for name, row in zip(descriptors.names, descriptors.rows, strict=True):
            path = part / f"{name}{KAPTURE_ENDING}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(row.astype("<f4", copy=False).tobytes())
        card = f"{descriptors.model}, float32, {descriptors.rows.shape[1]}, L2\n"
        _write_table(part / KAPTURE_CARD, "name, dtype, dsize, metric_type", card)
        if not (folder / _SENSORS).exists():
            _write_sensors(folder / "sensors", descriptors)
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _write_sensors(folder: Path, descriptors: Descriptors) -> None:
    """Write a camera for each size of photo, and a record for each photo."""
    cameras: dict[tuple[int, int], str] = {}
    records = []
    for number, (name, path) in enumerate(zip(descriptors.names, descriptors.paths, strict=True)):
        with Image.open(path) as image:
            camera = cameras.setdefault(image.size, f"camera{len(cameras)}")
        records.append(f"{number}, {camera}, {name}\n")
    sensors = (
        f"{camera}, , camera, UNKNOWN_CAMERA, {width}, {height}\n"
        for (width, height), camera in cameras.items()
    )
    folder.mkdir(parents=True, exist_ok=True)
    _write_table(
        folder / "records_camera.txt", "timestamp, device_id, image_path", "".join(records)
    )
    _write_table(
        folder / "sensors.txt", "sensor_id, name, sensor_type, [sensor_params]+", "".join(sensors)
    )


def _write_table(path: Path, columns: str, rows: str) -> None:
    write_whole(path, f"# kapture format: 1.1\n# {columns}\n{rows}".encode())
