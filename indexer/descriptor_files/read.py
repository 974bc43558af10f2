"""Reading files of descriptors of place-search, hloc, kapture and NumPy."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from place_search.core.tables import read_lines
from place_search.indexer.errors import SourceError

HLOC_KEY = "global_descriptor"
KAPTURE_FOLDER = Path("reconstruction", "global_features")
KAPTURE_CARD = "global_features.txt"
KAPTURE_ENDING = ".gfeat"
ACCEPTED = "an .h5 file of hloc or place-search, .npz, .npy or a kapture folder"

Vector = NDArray[np.float64]


class DescriptorFile(ABC):
    """Descriptors by the names of photos, read on demand.

    `names` is empty for a file that has rows only, in the order of the photos. `model` and
    `fingerprint` are those of the model that made them, "" where the file does not say.
    """

    def __init__(self, path: Path, count: int, names: Sequence[str]) -> None:
        """Raises `SourceError` where a name occurs twice, or the file has no descriptors."""
        self.path, self.count, self.names = path, count, names
        self.model = self.fingerprint = ""
        if not count:
            raise SourceError(f"{path} holds no descriptors; name {ACCEPTED}.")
        rows: dict[str, int] = {}
        for row, name in enumerate(names):
            if rows.setdefault(name, row) != row:
                raise SourceError(
                    f"{path} holds two descriptors of '{name}'; leave one of them out."
                )
        self._rows = rows

    def has_name(self, name: str) -> bool:
        """Whether a photo of this name has a descriptor."""
        return name in self._rows

    def row_of(self, name: str) -> int:
        """The row of a name that the file has."""
        return self._rows[name]

    @abstractmethod
    def read(self, row: int) -> Vector:
        """A row as in the file, (D,)."""

    @property
    def stamp(self) -> str:
        """A text that changes when the descriptors may have changed."""
        status = self.path.stat()
        return f"{self.path.resolve()} {status.st_size} {status.st_mtime_ns}"


class _Rows(DescriptorFile):
    """Rows of one array."""

    def __init__(self, path: Path, rows: Any, names: Sequence[str] | None = None) -> None:
        if getattr(rows, "ndim", 0) != 2 or rows.dtype.kind != "f":
            raise SourceError(
                f"{path} holds no table of descriptors, which is of one row of floating-point "
                f"numbers a photo; name {ACCEPTED}."
            )
        if names is not None and len(names) != len(rows):
            raise SourceError(
                f"{path} has {len(rows)} descriptors and {len(names)} names; write it again."
            )
        super().__init__(path, len(rows), names or ())
        self._table = rows

    def read(self, row: int) -> Vector:
        """A row."""
        return np.asarray(self._table[row], np.float64)


class _Datasets(DescriptorFile):
    """Features of hloc: a group for each photo, which holds its descriptor."""

    def __init__(self, path: Path, file: Any) -> None:
        names: list[str] = []

        def collect(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and name.endswith(f"/{HLOC_KEY}"):
                names.append(name.removesuffix(f"/{HLOC_KEY}"))

        file.visititems(collect)
        super().__init__(path, len(names), names)
        self._file = file

    def read(self, row: int) -> Vector:
        """The descriptor of one photo, whatever axes of length 1 it has."""
        dataset = self._file[self.names[row]][HLOC_KEY]
        if dataset.dtype.kind != "f" or dataset.size > max(dataset.shape, default=0):
            raise SourceError(
                f"{self.path} holds {dataset.dtype} of shape {dataset.shape} as {HLOC_KEY} of "
                f"'{self.names[row]}', not one vector of floating-point numbers; describe it again."
            )
        return np.asarray(dataset[()], np.float64).reshape(-1)


class _Kapture(DescriptorFile):
    """Global features of kapture of one type: a file of bare numbers for each photo."""

    def __init__(self, folder: Path) -> None:
        lines = [
            line
            for line in read_lines(folder / KAPTURE_CARD, error=SourceError)
            if not line.startswith("#")
        ]
        fields = [field.strip() for field in (lines or [""])[0].split(",")]
        try:
            _name, kind, width, _metric = fields
            self._kind, self._width = np.dtype(kind), int(width)
        except (ValueError, TypeError) as error:
            raise SourceError(
                f"{folder / KAPTURE_CARD} does not say name, dtype, dsize and metric_type of the "
                "descriptors; export them from kapture again."
            ) from error
        files = sorted(folder.rglob(f"*{KAPTURE_ENDING}"))
        names = [path.relative_to(folder).as_posix().removesuffix(KAPTURE_ENDING) for path in files]
        super().__init__(folder, len(names), names)
        self._files = files

    def read(self, row: int) -> Vector:
        """The numbers of one file."""
        values = np.fromfile(self._files[row], self._kind)
        if len(values) != self._width:
            raise SourceError(
                f"{self._files[row]} holds {len(values)} numbers where {KAPTURE_CARD} says "
                f"{self._width}; export the descriptors again."
            )
        return values.astype(np.float64)

    @property
    def stamp(self) -> str:
        """A text of the folder and the time of its newest file."""
        newest = max(path.stat().st_mtime_ns for path in self._files)
        return f"{self.path.resolve()} {self.count} {newest}"


def open_descriptor_file(path: Path) -> DescriptorFile:
    """Open a file of descriptors, or a kapture folder with them, whatever its kind.

    Raises:
        SourceError: the file is of no known kind, is damaged, or names a photo twice.
    """
    if not path.exists():
        raise SourceError(f"{path} does not exist; name {ACCEPTED}.")
    if not path.is_dir() and not path.is_file():
        raise SourceError(f"{path} is a pipe or device; name {ACCEPTED}.")
    try:
        if path.is_dir():
            return _Kapture(_kapture_type(path))
        ending = path.suffix.lower()
        if ending == ".npy":
            return _Rows(path, np.load(path, mmap_mode="r"))
        if ending == ".npz":
            with np.load(path) as archive:
                return _from_archive(path, dict(archive))
        if ending in (".h5", ".hdf5"):
            return _from_hdf5(path)
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise SourceError(f"{path} cannot be read ({error}); name {ACCEPTED}.") from error
    raise SourceError(f"{path} is no file of descriptors; name {ACCEPTED}.")


def _from_archive(path: Path, arrays: Mapping[str, Any]) -> DescriptorFile:
    if not {"names", "descriptors"} <= arrays.keys():
        raise SourceError(
            f"{path} holds {', '.join(arrays) or 'nothing'}; it needs the arrays names and "
            "descriptors."
        )
    opened = _Rows(path, arrays["descriptors"], arrays["names"].astype(str).tolist())
    opened.model, opened.fingerprint = (
        str(arrays.get(key, "")) for key in ("model", "fingerprint")
    )
    return opened


def _from_hdf5(path: Path) -> DescriptorFile:
    file = h5py.File(path, "r", locking=False)
    opened: DescriptorFile
    if isinstance(file.get("descriptors"), h5py.Dataset) and "name" in file:
        opened = _Rows(path, file["descriptors"], file["name"].asstr()[:].tolist())
    else:
        opened = _Datasets(path, file)
    opened.model = str(file.attrs.get("model", ""))
    opened.fingerprint = str(file.attrs.get("fingerprint", ""))
    return opened


def _kapture_type(folder: Path) -> Path:
    """The folder of the only type of descriptors, from this folder or from the kapture's root."""
    if (folder / KAPTURE_CARD).is_file():
        return folder
    types = sorted(card.parent for card in (folder / KAPTURE_FOLDER).glob(f"*/{KAPTURE_CARD}"))
    if len(types) == 1:
        return types[0]
    if not types:
        raise SourceError(
            f"{folder} holds no global features of kapture ({KAPTURE_FOLDER}/TYPE/{KAPTURE_CARD}); "
            f"name {ACCEPTED}."
        )
    raise SourceError(
        f"{folder} holds global features of {len(types)} types; name the folder of one of them, "
        f"as {types[0]}."
    )
