"""An index opened for reading."""

import math
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from place_search.core.errors import WrongParameterError
from place_search.core.forking import use_threads
from place_search.core.geodesy import Box, to_utm
from place_search.core.memory import return_freed_memory
from place_search.core.rows import read_only, spread_rows
from place_search.core.tables import is_whole, require_number
from place_search.indexer.closing import Closable
from place_search.indexer.errors import IndexFormatError, ModelMismatchError, UnknownPlaceError
from place_search.indexer.filters import Filter, FilterColumns, SortedRows
from place_search.indexer.places import Place
from place_search.indexer.shared_parts import SharedParts
from place_search.indexer.sources.kept_views import find_photo
from place_search.indexer.storage.commit import checked_paths
from place_search.indexer.storage.contents import Contents, of_current_version
from place_search.indexer.storage.edits import Edits, read_edits
from place_search.indexer.storage.groups import GROUPS, Groups, read_groups
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.manifest import Manifest
from place_search.indexer.storage.shard_reader import ShardRows
from place_search.indexer.stores.store_card import StoreCard, store_card
from place_search.indexer.stores.store_files import open_store
from place_search.indexer.stores.vectors import Hit, VectorStore
from place_search.models import CODE_BYTES, Codes, Model

_NAMES_PER_READ = 64
"""Reading a single name takes about as long as reading this many names of a whole column."""


class Index(Closable):
    """An index of places: one version of it, until it is closed. Thread-safe."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Open the version that a manifest describes; see `open_index`."""
        self.folder = folder
        self.manifest = manifest
        self._kept_photos = KeptPhotos(folder)
        with ThreadPoolExecutor(1) as pool:  # the checksum of a large store takes a second
            whole = pool.submit(checked_paths, folder, manifest)
            self._contents = contents = Contents(manifest, manifest.paths(folder))
            contents.check()
            paths = whole.result()
        # Opened now: a newer version may delete them.
        self._packs = contents.thumbnails
        self._rows = contents.rows
        self.place_ids: NDArray[np.int64] = self._rows.place_ids
        """All place ids, (N,) int64, ascending: the order of all columns and of `descriptors`."""
        self.edits: Edits = read_edits(folder, manifest.files)
        """The edits of places, and the declared own fields."""
        self._moved = {
            key: edit.position for key, edit in self.edits.by_place.items() if edit.position
        }
        groups = read_groups(paths[GROUPS], compared=False) if GROUPS in paths else Groups()
        self.groups: Groups = groups.only(self.place_ids)
        """The groups of places that show one spot; empty where the index was never grouped."""
        self._filters = FilterColumns(self.place_ids, contents.column, self.edits, self.groups)
        self.store_card: StoreCard = store_card(manifest)
        """The kind of vector store, the reason for it, and its measured recall."""
        stored = paths.get(manifest.store_file, folder / manifest.store_file)
        self._store: VectorStore = open_store(self.store_card, stored, self._rows)
        return_freed_memory()  # of the ids of single shards

    @property
    def bytes_a_photo(self) -> float:
        """The bytes of a place's descriptor and local features, on average."""
        return self._contents.bytes_a_photo

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        """Latitude and longitude of every place, (N, 2) float64, NaN for none."""
        positions = self._contents.positions
        if self._moved:
            positions = np.array(positions)
            for row, place_id in self.edits.rows(self.place_ids):
                positions[row] = self._moved.get(place_id, positions[row])
        return read_only(positions)

    @property
    def has_positions(self) -> bool:
        """Whether any place has a latitude and a longitude."""
        return bool(np.isfinite(self.positions).any())

    @cached_property
    def shared_parts(self) -> SharedParts:
        """The parts of the picture that many photos of the index share, whatever the place."""
        return SharedParts(self.count, self._readable_codes)

    def _readable_codes(self, row: int) -> Codes:
        """The codes of a row; empty where they are damaged: a search that needs them says so."""
        try:
            return self._contents.codes(row)
        except IndexFormatError:
            return np.zeros((0, CODE_BYTES), np.uint8), (0, 0)

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
    def precision(self) -> str:
        """The precision that the descriptors were made in: "f32" or "int8"."""
        return self.manifest.precision

    @property
    def has_local_features(self) -> bool:
        """Whether the local features of the places are kept, for verification."""
        return all(shard.shape("cells")[1] > 0 for shard in self._contents.shards)

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

    def __repr__(self) -> str:
        places = self.manifest.places
        return f"<Index {self.folder}: {places} places, {self.model_id} in {self.precision}>"

    def check_model(self, model: Model) -> None:
        """Make sure that a model's descriptors can be searched for in this index.

        Raises:
            ModelMismatchError: the index was made by another model.
        """
        if self.manifest.is_made_by(model, self.folder):
            return
        card = model.card
        raise ModelMismatchError(
            f"{self.folder} was made with model '{self.model_id}' ({self.fingerprint[:8]}, "
            f"{self.dims} numbers, {self.precision}) and cannot be searched with '{card.id}' "
            f"({model.fingerprint[:8]}, {card.dims} numbers, {card.precision}); leave out --model, "
            "--dims and --precision, in Python open_model(index=INDEX), or index the photos again."
        )

    def row_of(self, place_id: SupportsIndex) -> int:
        """The row of a place in `descriptors`, `place_ids` and `positions`.

        Raises:
            UnknownPlaceError: there is no such place.
        """
        return self._rows.row_of(place_id)

    def id_of(self, place: object) -> int:
        """The id of a place that is given by its id or its name.

        Raises:
            UnknownPlaceError: `place` is neither, no place has it, or several places have the name.
        """
        if is_whole(place):
            return int(self.place_ids[self.row_of(place)])
        if not isinstance(place, str):
            raise UnknownPlaceError(
                f"{place!r:.80} is neither the id nor the name of a place; give one of them."
            )
        rows = [row for row, name in enumerate(self.names(np.arange(self.count))) if name == place]
        if len(rows) == 1:
            return int(self.place_ids[rows[0]])
        if not rows:
            raise UnknownPlaceError(
                f"There is no place '{place:.80}' in {self.folder}; `place-search places` lists "
                "them."
            )
        several = ", ".join(map(str, self.place_ids[rows[:5]].tolist()))
        raise UnknownPlaceError(
            f"'{place:.80}' is the name of {len(rows)} places in {self.folder}; give the id of the "
            f"one you mean ({several})."
        )

    def place(self, place_id: SupportsIndex) -> Place:
        """A place by its id. Raises `UnknownPlaceError`."""
        return self._place(self.row_of(place_id))

    def usual_place(self) -> int:
        """The id of a place whose photo has the commonest shape among a hundred spread places."""
        rows = spread_rows(self.count, 100).tolist()
        shapes = [round(self._contents.aspect(row), 2) for row in rows]
        return int(self.place_ids[rows[shapes.index(Counter(shapes).most_common(1)[0][0])]])

    def places(self) -> Iterator[Place]:
        """All places by ascending id."""
        return (self._place(row) for row in range(self.count))

    def places_of(self, files: Collection[str]) -> list[Place]:
        """The places of photos whose files have these names, in whichever folder."""
        file_names = {os.fsencode(file) for file in files}
        paths = self._contents.column("path").tolist() if file_names else []
        rows = [row for row, path in enumerate(paths) if path.rpartition(b"/")[2] in file_names]
        return [self._place(row) for row in rows]

    def places_holding(self, photos: Collection[bytes]) -> dict[bytes, Place]:
        """The places of photos by the sha256 of their files; photos without a place are missing."""
        rows = self._contents.rows_holding(photos)
        return {photo: self._place(row) for photo, row in rows.items()}

    def content(self, row: int) -> bytes:
        """The sha256 of the photo of the place in a row."""
        return self._contents.content(row)

    def is_made_from(self, row: int, photo: Path, *, by_content: bool) -> bool | None:
        """Whether the place in a row was made from a photo's current content: see `Contents`."""
        return self._contents.is_made_from(row, photo, by_content=by_content)

    def names(self, rows: NDArray[np.intp]) -> list[str]:
        """The names of the places in these rows."""
        if _NAMES_PER_READ * len(rows) > self.count:
            names = [name.decode() for name in self._contents.column("name")[rows].tolist()]
        else:
            names = [self._contents.text("name", row) for row in rows.tolist()]
        if not self.edits.by_place:
            return names
        ids = self.place_ids[rows].tolist()
        return [self.edits.of(key).name or name for key, name in zip(ids, names, strict=True)]

    def matching(self, criteria: Filter) -> NDArray[np.intp]:
        """The rows of the places that fit a filter, ascending."""
        return self._filters.rows(criteria)

    def ordered(self, sort: str, criteria: Filter, *, spots: bool = False) -> SortedRows:
        """The places that fit a filter, in one of the orders `SORTS`; a leading - changes nothing.

        With `spots` a place is sorted by the name of its group, if the group has a name.
        """
        order = self._filters.order(sort, spots)
        if not criteria:
            return order
        fits = self._filters.mask(criteria)[order.rows]
        return SortedRows(order.rows[fits], order.keys[fits])

    def tags(self) -> dict[str, int]:
        """The number of places with each tag, by tag."""
        return self._filters.tags()

    def source_names(self) -> list[str]:
        """The name of each place in its source by ascending id, without edits."""
        return [name.decode() for name in self._contents.column("name").tolist()]

    def sequences(self) -> list[str]:
        """The sequence of each place in its source by ascending id; "" for none."""
        return [name.decode() for name in self._contents.column("sequence").tolist()]

    @cached_property
    def taken(self) -> NDArray[np.float64]:
        """The capture time of each place: (N,) float64 seconds since 1970, NaN for unknown."""
        return read_only(self._contents.column("taken"))

    def _place(self, row: int) -> Place:
        contents = self._contents
        place_id = int(self.place_ids[row])
        edit = self.edits.of(place_id)
        moved, root = edit.position, self.manifest.root
        return Place(
            place_id=place_id,
            name=edit.name or contents.text("name", row),
            path=find_photo(root / contents.text("path", row), self._kept_photos),
            position=moved or contents.position(row),
            utm=contents.utm(row) if moved is None else to_utm(moved),
            taken=contents.taken(row),
            heading=contents.heading(row),
            note=edit.note,
            tags=edit.tags,
            fields=edit.fields,
            version=edit.version,
        )

    def search(
        self,
        descriptor: ArrayLike,
        k: int,
        *,
        only: Iterable[SupportsIndex] | None = None,
        box: Box | None = None,
    ) -> list[Hit]:
        """The k places most similar to a (D,) descriptor, an array or a list, the best first.

        Similarities are cosines; places of equal similarity come by ascending id. `only`
        restricts the search to these place ids; a `box` that holds all of them helps some stores.

        Raises:
            WrongParameterError: `k` is no whole number, or `only` holds values that are no ids.
            ModelMismatchError: the descriptor is not as wide as those of the index, or not finite.
            StoreOutageError: the engine that holds the vectors does not answer.
        """
        use_threads()
        require_number("k", k, 0, whole=True)
        ids = None if only is None else _ids_of(only)
        unit = self.unit_descriptor(descriptor)
        # The store knows the positions of photos only, not the corrected positions.
        return self._store.search(unit, k, only=ids, box=None if self._moved else box)

    def unit_descriptor(self, descriptor: ArrayLike) -> NDArray[np.float32]:
        """A (D,) descriptor with the L2 norm 1, as the index compares it; zeros stay zeros.

        Raises:
            ModelMismatchError: the descriptor is not as wide as those of the index, or not finite.
        """
        try:
            with np.errstate(over="ignore"):  # numbers too large are refused below
                query = np.asarray(descriptor).astype(np.float32, casting="same_kind")
                norm = float(np.linalg.norm(query))
        except (TypeError, ValueError):  # no numbers, such as texts, times and complex ones
            raise ModelMismatchError(
                f"A descriptor is {self.dims} numbers, not {descriptor!r:.40}; describe the photo "
                "with the index's model."
            ) from None
        if query.shape != (self.dims,):
            raise ModelMismatchError(
                f"A descriptor of shape {query.shape} does not fit an index of {self.dims} "
                "dimensions; describe the photo with the index's model."
            )
        if not math.isfinite(norm):
            raise ModelMismatchError(
                "A descriptor holds numbers that are not finite, as no model gives them; describe "
                "the photo with the index's model."
            )
        return query / norm if norm > 0 else query

    def descriptors(self) -> ShardRows:
        """All descriptors, on disk: `take(rows)`, `chunks()`, `numpy.asarray`: (n, D) float32."""
        return self._rows

    def codes(self, place_id: SupportsIndex) -> Codes:
        """The codes of a place's local features, without the parts that many photos share.

        Raises:
            UnknownPlaceError: there is no such place.
        """
        return self.shared_parts.left_out(self._contents.codes(self.row_of(place_id)))

    def thumbnail(self, place_id: SupportsIndex) -> bytes:
        """A place's thumbnail, a JPEG of at most 320 pixels a side. Raises `UnknownPlaceError`."""
        return self._contents.thumbnail(self.row_of(place_id))

    def verify_store(self) -> list[str]:
        """Sentences on how the vector store disagrees with the descriptors."""
        return self._store.verify()


def _ids_of(only: Iterable[SupportsIndex]) -> NDArray[np.int64]:
    """Place ids as an array. A mask of rows would pass for the ids 0 and 1."""
    with suppress(TypeError, ValueError):  # no list, or a list of lists
        ids = only if isinstance(only, np.ndarray) else np.array([*only])
        if not ids.size or (ids.ndim == 1 and np.issubdtype(ids.dtype, np.integer)):
            return ids.astype(np.int64)
    raise WrongParameterError(
        f"The parameter only is {only!r:.40}, but it must be the ids of places; those of a mask of "
        "rows are index.place_ids[mask].",
        "only",
    )


def open_index(folder: Path) -> Index:
    """Open an index for reading, as quickly as its size allows.

    Sizes are checked for all files, checksums for files that are parsed; `place-search verify`
    checks the others.

    Raises:
        IndexFormatError: no index, an unfinished or damaged index, or a newer format.
        IndexReadError: a file may not or cannot be read.
    """
    folder = Path(folder)
    return of_current_version(folder, partial(Index, folder))
