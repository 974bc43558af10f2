"""Quantizes a model's graph to int8 and measures its loss."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.evaluation import GroundTruth, TruthFiles, measure_loss, open_truth
from place_search.indexer import Skipped, open_source
from place_search.indexer.pipeline import none_readable_error
from place_search.models import (
    ModelCard,
    ModelError,
    find_model,
    open_model,
    read_card,
    weights_folder,
    write_card,
)
from place_search.models.new_folder import free_folder, new_folder
from place_search.photos import PhotoError, read_photo
from place_search.photos.altered_views import change_day, make_night
from place_search.photos.decoding import MAX_PIXELS


@dataclass(frozen=True, slots=True)
class Quantized:
    """The card of a model with an int8 graph, and the calibration photos that were skipped.

    `left_unread` are sentences on folders that may not be read.
    """

    card: ModelCard
    skipped: Sequence[Skipped]
    left_unread: Sequence[str]


def quantize(
    model: str | Path,
    photos: Path,
    *,
    name: str | None = None,
    count: int = 128,
    views: bool = False,
    first: int | None = None,
    truths: Sequence[TruthFiles] = (),
    verify: bool = True,
    max_pixels: int = MAX_PIXELS,
    progress: Progress = silent,
) -> Quantized:
    """Put an int8 graph beside a model's float32 graph, or into a copy of the model.

    The copy gets the id `name`. `count` of the photos set the ranges of activations, unaltered or
    as `views`: half of them by night and a quarter by another day. The `first` convolutions stay in
    float32, by default as few as necessary. The card keeps the loss of Recall@1 on each of
    `truths`, with `verify` by geometry too; without truths nothing is measured.

    Raises:
        ModelError: NNCF is not installed, an unknown model, one that has an int8 graph already, or
            a name that cannot be a model's id or is taken.
        TruthError: a truth that cannot be used.
        SourceError: photos that cannot be listed, or none that can be read.
    """
    try:
        from place_search.models.quantize import quantize_model
    except ImportError as error:
        raise ModelError(
            f"Quantising needs {error.name}; run: pip install 'place-search[quantize]'."
        ) from None
    folder = find_model(model)
    _check_target(folder, name)
    ground_truths = _open_truths(truths)
    source = open_source(photos)
    number = min(count, len(source.photos))
    sample = [source.photos[row * len(source.photos) // number].path for row in range(number)]
    pixels, digest, skipped = _prepare(folder, sample, max_pixels, views)
    if not pixels:
        raise none_readable_error(skipped, photos)
    with _target(folder, name) as target:
        card = quantize_model(target, pixels, digest, first=first, views=views, progress=progress)
        if ground_truths and card.quantization is not None:
            rows = tuple(measure_loss(target, ground_truths, verify=verify, progress=progress))
            card = replace(card, quantization=replace(card.quantization, measured=rows))
            write_card(card, target)
    return Quantized(card, skipped, source.left_unread)


def require_unquantized(card: ModelCard) -> None:
    """Raise `ModelError` for a graph that was quantised before it was imported."""
    if card.is_quantized:
        raise ModelError(
            f"'{card.id}' was quantised before its import; import the float32 graph that it was "
            "made from, and quantise that."
        )


def _check_target(folder: Path, name: str | None) -> None:
    card = read_card(folder)
    require_unquantized(card)
    if name is None and card.quantization is not None:
        raise ModelError(
            f"'{card.id}' has an int8 graph already, with which indexes may have been made; give "
            "the new model a name with --as ID."
        )
    if name is not None:
        free_folder(weights_folder(), name)


@contextmanager
def _target(folder: Path, name: str | None) -> Iterator[Path]:
    """The model to quantise: `folder`, or a copy under weights/ that appears once it is whole."""
    if name is None:
        yield folder
        return
    with new_folder(weights_folder() / name) as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        write_card(replace(read_card(copy), id=name), copy)
        yield copy


def _open_truths(truths: Sequence[TruthFiles]) -> list[GroundTruth]:
    """Each truth, named by its file and by as many parent folders as make the name unique."""
    opened = [open_truth(files) for files in truths]
    paths = [files.truth or files.split or files.data or files.queries for files in truths]
    path_parts = [path.resolve().with_suffix("").parts for path in paths if path is not None]
    for row, parts in enumerate(path_parts):
        opened[row].require_photos()
        ends = (parts[-count:] for count in range(1, len(parts)))
        alone = (end for end in ends if sum(other[-len(end) :] == end for other in path_parts) == 1)
        opened[row] = replace(opened[row], name="/".join(next(alone, parts[-1:])))
    return opened


def _prepare(
    folder: Path, photos: Sequence[Path], max_pixels: int, views: bool
) -> tuple[list[NDArray[np.uint8]], str, list[Skipped]]:
    """The pixels of photos for the model, the hash of their contents, and unreadable photos."""
    opened = open_model(folder, max_pixels=max_pixels)
    pixels, digest = [], hashlib.sha256()
    skipped = []
    for number, path in enumerate(photos):
        try:
            content = read_photo(path)
            prepared = opened.prepare(opened.read(content))
        except (PhotoError, OSError) as error:
            skipped.append(Skipped(path.name, str(error)))
            continue
        pixels.append(_altered(prepared, number) if views else prepared)
        digest.update(hashlib.sha256(content).digest())
    return pixels, digest.hexdigest(), skipped


def _altered(pixels: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """The photo altered by its number: night, another day, night, unaltered, and so on."""
    alter: Any = (make_night, change_day, make_night, None)[number % 4]
    return pixels if alter is None else alter(pixels, np.random.default_rng(number))
