"""The model of an index: the model that made its descriptors, cropped as it was then."""

from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any

from place_search.core.settings import AskedPrecision
from place_search.indexer.storage.manifest import Manifest
from place_search.models import (
    Model,
    ModelCard,
    ModelError,
    find_model,
    open_model,
    read_card,
)
from place_search.models.model import find_verifier
from place_search.models.runtimes.base import Mode
from place_search.photos import Preprocessing
from place_search.photos.decoding import MAX_PIXELS


def open_index_model(
    manifest: Manifest,
    model: str | Path | None = None,
    *,
    mode: Mode = "latency",
    threads: int | None = None,
    dims: int | None = None,
    precision: AskedPrecision = "auto",
    max_pixels: int = MAX_PIXELS,
    verify: bool = True,
    verify_with: str | Path | None = None,
) -> Model:
    """Open the model that an index was made with, or another id or folder of the same weights.

    `precision` "auto" is that of the index, whatever the processor, and its dimensions are those of
    the index without `dims`. A second model that gave the index its local features is opened too,
    unless `verify` is false; `verify_with` is another id or folder of the second model.

    Every model for an index is opened by this function: a model that was cropped by `--dims` must
    be cropped again. `Index.check_model` checks whether the model fits, also one that cannot be
    cropped or has no int8.

    Raises:
        ModelError: descriptors of no known model, no such model, or the index's own model without
            the graph of the index's precision.
    """
    made_by = manifest.model
    require_known_model(manifest)
    folder = find_model(model or str(made_by["id"]))
    card = read_card(folder)
    opened = open_model(
        folder,
        mode=mode,
        threads=threads,
        dims=dims or _dims_of(made_by, card),
        precision=_precision_of(made_by, card) if precision == "auto" else precision,
        max_pixels=max_pixels,
    )
    if precision == "auto":
        opened.reason = "as the index was made"
    if not verify:
        return _alone(manifest, opened)
    return opened.with_verifier(_open_verifier(manifest, verify_with, mode, threads))


def fit_model(manifest: Manifest, folder: Path, model: Model, *, verify: bool = True) -> Model:
    """An opened model, with the second model that gave the index in `folder` its local features.

    Without `verify` the second model has no part in it.

    Raises:
        ModelError: there is no such second model.
    """
    if manifest.verifier is None or not verify:
        return _alone(manifest, model)
    if manifest.keeps_features_of(model, folder):
        return model
    return model.with_verifier(_open_verifier(manifest, None, "latency", None))


def _alone(manifest: Manifest, model: Model) -> Model:
    """A model without a verifier, which decodes photos as for an index that has one."""
    alone = model.alone()
    if manifest.verifier is not None:
        alone = copy(alone)  # it may be the caller's own
        alone.beside = (Preprocessing(**manifest.verifier["preprocessing"]),)
    return alone


def _open_verifier(
    manifest: Manifest, model: str | Path | None, mode: Mode, threads: int | None
) -> Model | None:
    """The second model that gave an index its local features, or `model` in its place.

    Raises:
        ModelError: it gives other local features, with which no result could be verified.
    """
    made_by = manifest.verifier or manifest.model
    if manifest.verifier is None and model is None:
        return None
    folder = find_verifier(model or str(made_by["id"]))
    precision = _precision_of(made_by, read_card(folder))
    opened = open_model(folder, mode=mode, threads=threads, precision=precision)
    if model is None and not manifest.keeps_features_of(opened, "The index"):
        raise ModelError(
            f"'{opened.card.id}' ({opened.fingerprint[:8]}) gives other local features than "
            f"'{made_by['id']}' ({made_by['fingerprint'][:8]}), which gave the index its own; "
            "bring that model back, search with --no-verify, or index the photos again."
        )
    return opened


def _dims_of(made_by: Mapping[str, Any], card: ModelCard) -> int | None:
    """The dimensions that a model is cropped to for an index; None where it is not cropped."""
    dims = int(made_by["dims"])
    return dims if made_by.get("cropped") and card.whitened and dims < card.dims else None


def _precision_of(made_by: Mapping[str, Any], card: ModelCard) -> AskedPrecision:
    """The precision of an index; "f32" for another model, of whatever id, that has no int8."""
    own = made_by.get("files", card.files).get(card.main_file) == card.files[card.main_file]
    has_int8 = card.has_int8 or (own and card.id == made_by["id"])
    return "int8" if made_by.get("precision") == "int8" and has_int8 else "f32"


def require_known_model(manifest: Manifest) -> None:
    """Refuse an index of descriptors of an unknown model: no photo can be described for it.

    Raises:
        ModelError: the model of the index is unknown.
    """
    if not manifest.has_known_model:
        raise ModelError(
            f"The index holds descriptors that were made elsewhere ({manifest.model['id']}), so "
            "no photo can be described for it; search it from Python by a descriptor, as "
            "open_index(INDEX).search(descriptor, k), or index the photos again with the --model "
            "that made them."
        )
