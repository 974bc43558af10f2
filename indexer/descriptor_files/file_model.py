"""A model that looks descriptors up in a file, instead of describing photos."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from place_search.core.rows import spread_rows
from place_search.indexer.descriptor_files.read import DescriptorFile
from place_search.indexer.errors import SourceError
from place_search.indexer.pipeline import stored_path
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.storage.manifest import UNKNOWN_FAMILY
from place_search.indexer.storage.shards import Row
from place_search.models import Embedding, Model, ModelCard, card_of, find_card
from place_search.models.card import Aggregation
from place_search.models.runtimes.base import Key
from place_search.photos import PhotoError, Preprocessing
from place_search.photos.decoding import MAX_PIXELS

SAME_MODEL = 0.95
"""The cosine of a descriptor of the file and the model's own from which both are of one model.

Programs differ in resizing and rounding; other models give cosines near 0.
"""
_TRIED = 20
_ROUNDING = 1e-3
"""The difference of cosines of a descriptor that is rounded in several ways."""


class DescriptorFileModel(Model):
    """The stand-in for the model that made the descriptors of a file, while an index is built.

    The index keeps no local features, as the file has none.
    """

    def __init__(
        self, file: DescriptorFile, source: Source, card: ModelCard, max_pixels: int
    ) -> None:
        """Raises `SourceError` where the file lacks photos of the source."""
        self._file = file
        self.lookup = _Lookup(file, source, card.dims)
        super().__init__(replace(card, local_features=None), self.lookup, max_pixels=max_pixels)

    @property
    def limit_in_words(self) -> str:
        """The text that identifies a build from this file."""
        return f"{super().limit_in_words} from {self._file.stamp}"


def descriptor_file_model(
    file: DescriptorFile,
    source: Source,
    model: Model | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
) -> DescriptorFileModel:
    """The model that gives the descriptors of a file for the photos of a source.

    The descriptors are of `model`, if given: it is tried on some photos, and must be the model that
    the file names, if any. Else they are of the model that the file names, if it is installed, and
    else of an unknown model: such an index is searched by descriptors, not by photos. Photos of
    more than `max_pixels` decoded pixels are left out.

    Raises:
        SourceError: a photo without a descriptor, a file of other photos, descriptors of another
            model or in another order, or broken numbers.
    """
    dims = len(file.read(0))
    if not dims:
        raise SourceError(f"{file.path} holds descriptors of no numbers; write them again.")
    if model is not None:
        file_model = DescriptorFileModel(file, source, _named_card(file, model, dims), max_pixels)
        _check_maker(file, source, model, file_model)
        return file_model
    card = find_card(file.model, file.fingerprint, dims) if file.model else None
    return DescriptorFileModel(file, source, card or _unknown_card(file, dims), max_pixels)


def _named_card(file: DescriptorFile, model: Model, dims: int) -> ModelCard:
    """The card of a model, in the precision and on the kind of processor that the file names."""
    if not file.fingerprint:
        return model.card
    card = card_of(model.card, file.fingerprint, dims)
    if card is None:
        maker = f"{file.model}, or another version of it," if file.model else "another model"
        raise SourceError(
            f"{file.path} says that {maker} made it, not {model.card.id} as it is here; leave out "
            "--model, or describe the photos again."
        )
    return card


def _unknown_card(file: DescriptorFile, dims: int) -> ModelCard:
    name = file.model or file.path.name
    return ModelCard(
        id=name,
        title=f"Descriptors of {file.path.name}",
        family=UNKNOWN_FAMILY,
        backbone="",
        aggregation=Aggregation(UNKNOWN_FAMILY),
        local_features=None,
        dims=dims,
        licence="",
        preprocessing=Preprocessing("longest", 1024, 1024),
        files={"weights.safetensors": f"{UNKNOWN_FAMILY} {name} {file.fingerprint} {dims}"},
    )


def _check_maker(
    file: DescriptorFile, source: Source, model: Model, file_model: DescriptorFileModel
) -> None:
    """Make sure that a model gives the descriptors of the file, each for its own photo.

    A sample of photos is compared with the rows of all sampled photos and of their neighbours: rows
    may be shifted by one, and frames of a video look alike.
    """
    paths = [stored_path(photo.path, source.root) for photo in source.photos]
    tried = spread_rows(len(paths), _TRIED)
    neighbourhood = np.unique(tried[:, None] + np.array([-1, 0, 1]))
    rows = [row for row in neighbourhood.tolist() if 0 <= row < len(paths)]
    table = np.stack([file_model.lookup.look_up(paths[row]) for row in rows])
    for row in tried.tolist():
        photo = source.photos[row]
        try:
            cosines = table @ model.embed(model.read(photo.path)).descriptor
        except PhotoError:
            continue
        own_cosine, nearest = float(cosines[rows.index(row)]), int(np.argmax(cosines))
        if own_cosine >= SAME_MODEL and 1 - own_cosine <= 2 * (1 - cosines[nearest]) + _ROUNDING:
            continue
        number = file_model.lookup.row_of(paths[row]) + 1
        finding = (
            f"{file.path}: row {number} of {file.count}, for '{photo.name}', has a cosine of "
            f"{own_cosine:.2f} with its descriptor by {model.card.id}"
        )
        if cosines[nearest] < SAME_MODEL:
            raise SourceError(f"{finding}, so another made it; name another --model, or none.")
        raise SourceError(
            f"{finding}, which is nearer to the row for '{source.photos[rows[nearest]].name}' "
            f"({cosines[nearest]:.2f}); put the rows in the order of the photos."
        )


class _Lookup:
    """A runtime that finds a photo's descriptor by its path under the source's root."""

    name = "descriptor file"

    def __init__(self, file: DescriptorFile, source: Source, dims: int) -> None:
        self._file, self._dims = file, dims
        paths = [stored_path(photo.path, source.root) for photo in source.photos]
        if not file.names:
            if file.count != len(paths):
                raise SourceError(
                    f"{file.path} has {file.count} rows without names, but there are {len(paths)} "
                    "photos; name a file with a name for each descriptor, as .h5 or .npz."
                )
            self._rows = {path: row for row, path in enumerate(paths)}
            return
        prefix = _prefix(file, source, paths)
        missing = [path for path in paths if not file.has_name(prefix + path)]
        if missing:
            raise SourceError(
                f"{file.path} has no descriptor of {len(missing)} of the {len(paths)} photos of "
                f"{source.root}, the first is '{missing[0]}'; describe them too, or leave them out."
            )
        self._rows = {path: file.row_of(prefix + path) for path in paths}

    def row_of(self, path: str) -> int:
        """The row of a photo in the file."""
        return self._rows[path]

    def look_up(self, path: str) -> NDArray[np.float32]:
        """The descriptor of a photo, of norm 1.

        Raises:
            SourceError: the descriptor is of another width, not finite, or 0.
        """
        if path not in self._rows:  # a photo that a server keeps, which no source lists
            return np.full(self._dims, np.nan, np.float32)
        values = self._file.read(self._rows[path])
        if values.shape != (self._dims,):
            raise SourceError(
                f"{self._file.path} has {values.size} numbers for '{path}', where "
                f"{self._dims} are needed; describe all photos by one model."
            )
        peak = float(np.abs(values).max(initial=0.0))
        if not np.isfinite(peak) or peak == 0:
            fault = "zeros only" if peak == 0 else "numbers that are not finite"
            raise SourceError(
                f"{self._file.path} has {fault} for '{path}'; describe that photo again."
            )
        scaled = values / peak  # its squares neither overflow nor vanish
        return np.asarray(scaled / np.linalg.norm(scaled), np.float32)

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Raises `SourceError`: a file cannot describe photos."""
        raise SourceError(f"{self._file.path} describes no photos; it holds descriptors.")

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        """The descriptors of photos that are rows of an index."""
        for key, pixels in photos:
            yield (
                key,
                Embedding(self.look_up(key.path)) if isinstance(key, Row) else self.embed(pixels),
            )


def _prefix(file: DescriptorFile, source: Source, paths: list[str]) -> str:
    """The prefix of names in the file before the paths of the source: the end of its root.

    Other programs name photos relative to the folder of all images, which may hold the source. The
    names of other photos in that folder may be those of the source without the prefix.
    """
    parts = source.root.parts[1:]
    prefixes = [
        "".join(f"{part}/" for part in parts[len(parts) - count :])
        for count in range(len(parts) + 1)
    ]
    whole = [prefix for prefix in prefixes if all(file.has_name(prefix + path) for path in paths)]
    if len(whole) > 1:
        raise SourceError(
            f"{file.path} names the photos of {source.root} in two ways, the first as "
            f"'{whole[0]}{paths[0]}' and as '{whole[1]}{paths[0]}'; leave those of other photos "
            "out of the file."
        )
    for prefix in whole or prefixes:
        if any(file.has_name(prefix + path) for path in paths):
            return prefix
    raise SourceError(
        f"{file.path} is of other photos: none of its {file.count} names, such as "
        f"'{file.names[0]}', is one of {source.root}, such as '{paths[0]}'."
    )
