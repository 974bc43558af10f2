"""Descriptors of photos, without an index."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.indexer import Skipped, open_source
from place_search.indexer.descriptor_files.write import Descriptors
from place_search.indexer.pipeline import (
    StageClock,
    embed_photos,
    none_readable_error,
    skipped_name,
)
from place_search.indexer.sources.walk import is_list
from place_search.models import NO_DESCRIPTOR, Model
from place_search.photos import UnreadablePhotoError


def describe_photos(
    photos: Sequence[Path | bytes], model: Model, *, progress: Progress = silent
) -> NDArray[np.float32]:
    """The descriptors of photos, one row a photo in their order: (N, D) float32, L2 norm 1.

    Raises:
        PhotoError: a photo cannot be read, or the model gives no usable descriptor for it.
    """
    descriptors = np.empty((len(photos), model.card.dims), dtype=np.float32)
    for row, embedding in model.stream(_prepared(photos, model)):
        if not embedding.is_usable:
            photo = photos[row]
            name = f"Photo {row + 1}" if isinstance(photo, bytes) else photo
            raise UnreadablePhotoError(f"{name}: {NO_DESCRIPTOR}")
        descriptors[row] = embedding.descriptor
        progress("Describing", row + 1, len(photos))
    return descriptors


def describe_named(
    photos: Sequence[Path], model: Model, *, progress: Progress = silent
) -> tuple[Descriptors, list[Skipped], tuple[str, ...]]:
    """The descriptors of photos, or of all photos of one folder or list, with their names.

    Photos are named by their paths below the folder, that of the list too; unreadable ones are
    skipped. The last item returned has a sentence on each kind of file that is no photo.

    Raises:
        PhotoError: a photo that was named itself cannot be read.
        SourceError: the folder or list has no photos, or none that can be read.
    """
    skipped: list[Skipped] = []
    left_unread: tuple[str, ...] = ()
    if len(photos) == 1 and (photos[0].is_dir() or is_list(photos[0])):
        source = open_source(photos[0])
        left_unread = source.left_unread
        names_and_paths, rows = [], []
        numbered = enumerate(source.photos)
        total = len(source.photos)
        for number, result in embed_photos(numbered, source.root, model, StageClock()):
            if isinstance(result, Skipped):
                skipped.append(result)
            else:
                names_and_paths.append((result.name, source.photos[number].path))
                rows.append(result.descriptor)
            progress("Describing", number + 1, total)
        if not names_and_paths:
            raise none_readable_error(skipped, photos[0])
        names, paths = zip(*names_and_paths, strict=True)
        described = np.stack(rows)
    else:
        described = describe_photos(photos, model, progress=progress)
        names, paths = tuple(skipped_name(str(photo)) for photo in photos), tuple(photos)
    made = Descriptors(described, names, paths, model.card.id, model.fingerprint)
    return made, skipped, left_unread


def _prepared(
    photos: Sequence[Path | bytes], model: Model
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for row, photo in enumerate(photos):
        yield row, model.prepare(model.read(photo))
