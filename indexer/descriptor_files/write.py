"""Writing descriptors as hloc, kapture and NumPy read them, and as we do."""

import io
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from place_search.core.errors import PlaceSearchError
from place_search.core.files import replacing, telling_unwritable
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
"""What a file's name ends in, by its format; kapture's is a folder."""


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


def write_descriptors(path: Path, form: DescriptorFormat, given: Descriptors) -> None:
    """Write descriptors to a file, or for kapture into a folder; all of them or nothing.

    Raises:
        PlaceSearchError: it cannot be written, or the format cannot hold such names.
    """
    if form in ("hloc", "kapture"):
        _require_names(path, form, given.names)
    with telling_unwritable(path):
        if form == "kapture":
            _write_kapture(path, given)
            return
        with replacing(path) as part:
            _WRITERS[form](part, given, path.suffix.lower())


def _require_names(path: Path, form: str, names: Sequence[str]) -> None:
    """Names are places in a tree there, so each must be one, and only once."""
    seen: set[str] = set()
    for name in names:
        parts = PurePosixPath(name)
        if name in seen or parts.is_absolute() or ".." in parts.parts or "." in name.split("/"):
            why = "stands there twice" if name in seen else "does not lead down from one folder"
            raise PlaceSearchError(
                f"{path} cannot be written for {form}, because the name '{name}' {why}; describe "
                "the folder of the photos, so that names are relative to it."
            )
        seen.add(name)


@contextmanager
def _hdf5(part: Path, given: Descriptors) -> Iterator[Any]:
    """A file that says what made its descriptors.

    It is made in memory, as HDF5 raises no OSError where the disk is full.
    """
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        yield file
        file.attrs["model"] = given.model
        file.attrs["fingerprint"] = given.fingerprint
    part.write_bytes(made.getbuffer())


def _write_own(part: Path, given: Descriptors, _ending: str) -> None:
    with _hdf5(part, given) as file:
        file.create_dataset("descriptors", data=given.rows)
        names: Any = list(given.names)
        file.create_dataset("name", data=names, dtype=h5py.string_dtype())


def _write_hloc(part: Path, given: Descriptors, _ending: str) -> None:
    with _hdf5(part, given) as file:
        for name, row in zip(given.names, given.rows, strict=True):
            file.create_dataset(f"{name}/{HLOC_KEY}", data=row)


def _write_numpy(part: Path, given: Descriptors, ending: str) -> None:
    with part.open("wb") as stream:
        if ending == ".npy":
            np.save(stream, given.rows)
            return
        np.savez(
            stream,
            names=np.array(given.names),
            descriptors=given.rows,
            model=np.array(given.model),
            fingerprint=np.array(given.fingerprint),
        )


_WRITERS: Mapping[str, Callable[[Path, Descriptors, str], None]] = {
    "place-search": _write_own,
    "hloc": _write_hloc,
    "numpy": _write_numpy,
}


def _write_kapture(folder: Path, given: Descriptors) -> None:
    """A type of global features; a folder that is no kapture yet gets its list of photos, too."""
    target = folder / KAPTURE_FOLDER / given.model
    if target.exists():
        raise PlaceSearchError(
            f"{target} exists already; delete it, or name another folder than {folder}."
        )
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for name, row in zip(given.names, given.rows, strict=True):
            path = part / f"{name}{KAPTURE_ENDING}"
            path.parent.mkdir(parents=True, exist_ok=True)
            row.astype("<f4", copy=False).tofile(path)
        card = f"{given.model}, float32, {given.rows.shape[1]}, L2\n"
        _write_table(part / KAPTURE_CARD, "name, dtype, dsize, metric_type", card)
        if not (folder / "sensors" / "sensors.txt").exists():
            _write_sensors(folder / "sensors", given)
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _write_sensors(folder: Path, given: Descriptors) -> None:
    """A camera for each size of photo, and a record for each photo, one after the other."""
    cameras: dict[tuple[int, int], str] = {}
    records = []
    for number, (name, path) in enumerate(zip(given.names, given.paths, strict=True)):
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
    path.write_text(f"# kapture format: 1.1\n# {columns}\n{rows}", "utf-8")
