"""An index opened for reading."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.commit import is_stamped, pending_name
from indexer.errors import IndexFormatError, ModelMismatchError, UnknownPlaceError
from indexer.faiss_store import FaissStore, StoreCard
from indexer.manifest import FAISS, FIXED_NAMES, Manifest, read_manifest
from indexer.places import Place, Utm
from indexer.shard_reader import ArrayFile, ShardRows
from indexer.shards import SHARDS, THUMBNAILS
from indexer.vectors import Hit, VectorStore
from netvlad import Model, Position

_ARRAYS = ("descriptors", "cells")
_TABLES = (
    "grid",
    "place_id",
    "name",
    "path",
    "zone",
    "latitude",
    "longitude",
    "easting",
    "northing",
)


class Index:
    """An index of places: one version of it, however long it stays open. Thread-safe."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Open the version that a manifest describes; see `open_index`."""
        self.folder = folder
        self.manifest = manifest
        paths = {name: self._whole(name) for name in manifest.files}
        self._shards = shards = [
            ArrayFile(paths[name], _ARRAYS, _TABLES) for name in manifest.shards
        ]
        self._thumbnails = [
            ArrayFile(paths[name.replace(SHARDS, THUMBNAILS)], ["jpeg"], ["offset"])
            for name in manifest.shards
        ]
        self._rows = ShardRows(shards)
        self._table = {
            key: np.concatenate([shard.tables[key] for shard in shards]) for key in _TABLES
        }
        for shard in shards:
            shard.tables.clear()
        self.place_ids: NDArray[np.int64] = self._rows.place_ids
        """All place ids, (N,) int64, ascending: the order of all columns and of `descriptors`."""
        self.positions: NDArray[np.float64] = np.stack(
            [self._table["latitude"], self._table["longitude"]], axis=1
        )
        """Latitude and longitude of every place, (N, 2) float64, NaN for none."""
        if len(self.place_ids) != manifest.places or (np.diff(self.place_ids) <= 0).any():
            raise IndexFormatError(f"{folder} is damaged: its places do not fit its manifest.")
        try:
            card = StoreCard(**manifest.store)
        except TypeError:
            raise IndexFormatError(
                f"{folder} uses a vector store that this version does not know; index the photos "
                "again."
            ) from None
        self._store: VectorStore = FaissStore(paths[FAISS], card, self._rows)

    def _whole(self, name: str) -> Path:
        """The path of a file of this version, found whole."""
        stamp = self.manifest.files[name]
        path = self.folder / name
        if name not in FIXED_NAMES:
            if path.is_file() and path.stat().st_size == stamp.bytes:
                return path
        else:
            # A writer that was killed after its commit leaves the pending name.
            pending = self.folder / pending_name(name, self.manifest.index_id)
            for candidate in (path, pending):
                if is_stamped(candidate, stamp):
                    return candidate
        raise IndexFormatError(
            f"{path} is missing or damaged; make the index again with `place-search index`."
        )

    @property
    def index_id(self) -> str:
        """The id of this version: a hash of its content."""
        return self.manifest.index_id

    @property
    def model_id(self) -> str:
        """The id of the model that made the descriptors."""
        return str(self.manifest.model["id"])

    @property
    def fingerprint(self) -> str:
        """The fingerprint of that model: only its descriptors can be searched for."""
        return str(self.manifest.model["fingerprint"])

    @property
    def has_cells(self) -> bool:
        """Whether the cells of the places are kept, for verification."""
        return all(shard.shape("cells")[1] > 0 for shard in self._shards)

    @property
    def count(self) -> int:
        """The number of places."""
        return len(self.place_ids)

    @property
    def dims(self) -> int:
        """The width of a descriptor."""
        return self._rows.shape[1]

    def __len__(self) -> int:
        return self.count

    def check_model(self, model: Model) -> None:
        """Make sure that a model's descriptors can be searched for here.

        Raises:
            ModelMismatchError: the index was made by another model.
        """
        if model.fingerprint != self.fingerprint:
            raise ModelMismatchError(
                f"{self.folder} was made with model '{self.model_id}' ({self.fingerprint[:8]}) and "
                f"cannot be searched with '{model.card.id}' ({model.fingerprint[:8]}); use its own "
                "model or index the photos again."
            )

    def row_of(self, place_id: int) -> int:
        """The row of a place in `descriptors`, `place_ids` and `positions`.

        Raises:
            UnknownPlaceError: there is no such place.
        """
        row = int(np.searchsorted(self.place_ids, place_id))
        if row >= self.count or self.place_ids[row] != place_id:
            raise UnknownPlaceError(
                f"There is no place {place_id} in this index; it has {self.count} places."
            )
        return row

    def place(self, place_id: int) -> Place:
        """A place by its id. Raises `UnknownPlaceError`."""
        return self._place(self.row_of(place_id))

    def places(self) -> Iterator[Place]:
        """All places by ascending id."""
        return (self._place(row) for row in range(self.count))

    def _place(self, row: int) -> Place:
        def text(key: str) -> str:
            value: bytes = self._table[key][row]
            return value.decode()

        def number(key: str) -> float:
            return float(self._table[key][row])

        placed = not np.isnan(number("latitude"))
        metric = not np.isnan(number("easting"))
        return Place(
            place_id=int(self.place_ids[row]),
            name=text("name"),
            path=Path(self.manifest.source["root"]) / text("path"),
            position=Position(number("latitude"), number("longitude")) if placed else None,
            utm=Utm(number("easting"), number("northing"), text("zone")) if metric else None,
        )

    def search(
        self, descriptor: NDArray[np.float32], k: int, *, only: NDArray[np.int64] | None = None
    ) -> list[Hit]:
        """The k places most similar to a (D,) descriptor, the best first.

        Similarities are cosines; places of equal similarity come by ascending id. `only`
        restricts the search to these place ids.

        Raises:
            ModelMismatchError: the descriptor is not as wide as those of the index.
        """
        if descriptor.shape != (self.dims,):
            raise ModelMismatchError(
                f"A descriptor of shape {descriptor.shape} does not fit an index of {self.dims} "
                "dimensions; describe the photo with the index's model."
            )
        norm = float(np.linalg.norm(descriptor))
        unit = descriptor / norm if norm > 0 else descriptor
        return self._store.search(unit.astype(np.float32, copy=False), k, only=only)

    def descriptors(self) -> ShardRows:
        """All descriptors, on disk: `take(rows)` and `chunks()` give (n, D) float32."""
        return self._rows

    def cells(self, place_id: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """The cell codes of a place, (h·w, bytes) uint8, and its grid (h, w).

        Raises:
            UnknownPlaceError: there is no such place.
        """
        row = self.row_of(place_id)
        height, width = (int(side) for side in self._table["grid"][row])
        number, local = self._rows.locate(row)
        shard = self._shards[number]
        codes = np.empty((height * width, shard.shape("cells")[2]), np.uint8)
        shard.read_into(codes, "cells", local)
        return codes, (height, width)

    def thumbnail(self, place_id: int) -> bytes:
        """The thumbnail of a place, a JPEG of at most 320 pixels a side.

        Raises:
            UnknownPlaceError: there is no such place.
        """
        shard, local = self._rows.locate(self.row_of(place_id))
        pack = self._thumbnails[shard]
        start, end = (int(offset) for offset in pack.tables["offset"][local : local + 2])
        jpeg = np.empty(end - start, np.uint8)
        pack.read_into(jpeg, "jpeg", start)
        return jpeg.tobytes()


def open_index(folder: Path) -> Index:
    """Open an index for reading, as quickly as its size allows.

    Sizes are checked for all files and checksums for those whose content is parsed; the rest is
    for `place-search verify`.

    Raises:
        IndexFormatError: no index, an unfinished or damaged one, or one of a newer format.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    again = True
    while True:
        try:
            return Index(folder, manifest)
        except IndexFormatError:
            # A writer may just have put a new version in place, or renamed a file of this one.
            before, manifest = manifest, read_manifest(folder)
            if manifest == before and not again:
                raise
            again = manifest != before
