"""`place-search whiten`: fits a whitening and writes the whitened model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from place_search.core.files import scratch_folder
from place_search.core.progress import Progress, silent, unheard
from place_search.indexer import build_index, holds_index, open_index, open_index_model, open_source
from place_search.models import UNWHITENED_MODEL, ModelCard, find_model, open_model, read_card
from place_search.models.folder import write_model
from place_search.models.layers import ByteLinear, Whitening
from place_search.models.network import Network, load_network
from place_search.models.new_folder import require_free
from place_search.photos.decoding import MAX_PIXELS
from place_search.training.data.viewed_photos import read_viewed_photos
from place_search.training.errors import TrainingError
from place_search.training.view_whitening import (
    describe_views,
    fit_directions,
    fit_view_whitening,
    views_of,
)
from place_search.training.whitening import WhiteningFit, fit_whitening, require_samples


def whiten(
    data: Path,
    out: Path,
    *,
    dims: int,
    views: bool = False,
    root: Path | None = None,
    model: str | Path | None = None,
    threads: int | None = None,
    seed: int = 0,
    max_pixels: int = MAX_PIXELS,
    progress: Progress = silent,
    print_message: Callable[[str], None] = unheard,
) -> ModelCard:
    """Fit a whitening on an index, or on photos, and write the whitened model as `out`.

    `data` is an index, whose own model is then the default, or a source of photos, which are
    described by `model` (`UNWHITENED_MODEL`) into a temporary index beside `out`. With `views` it
    is a CSV of photos under `root` (`read_viewed_photos`), and the whitening is fitted on views of
    them (`fit_view_whitening`), as are the directions of local features (`fit_directions`); the
    model's own whitening and directions are replaced. The new model's descriptors can be cropped:
    their numbers are in the order of falling variance. `print_message` is called with a sentence on
    each kind of file that is left out.

    Raises:
        TrainingError: too few photos, or without `views` a model that is whitened already.
        ModelError: an unknown model, one without weights, or `out` exists.
        PlaceSearchError: `data` is no index and no source of photos, or of another model.
    """
    require_free(out)
    if root is not None and not views:
        raise TrainingError("--root is the folder of a CSV's photos; give --views with it.")
    method = "PCA whitening (Jégou & Chum 2012)"
    directions = None
    if views:
        photos = read_viewed_photos(data, root or data.parent)
        folder = find_model(model or UNWHITENED_MODEL)
        card = read_card(folder)
        card.require_weights()
        require_samples(views_of(photos), "views of these photos", dims)
        with _without_whitening(folder, card, out) as plain:
            opened = open_model(plain, mode="throughput", threads=threads, max_pixels=max_pixels)
            described = describe_views(photos, opened, seed=seed, progress=progress)
        fit = fit_view_whitening(described.descriptors, dims)
        directions = fit_directions(described.local_features, seed=seed)
        method = f"views of {len(photos)} photos, within-class covariance normalisation"
    elif holds_index(data):
        index = open_index(data)
        folder = find_model(model or index.model_id)
        card = _require_unwhitened(read_card(folder))
        index.check_model(open_index_model(index.manifest, folder, threads=threads))
        fit = fit_whitening(index.descriptors(), dims, seed=seed)
    else:
        source = open_source(data)
        for sentence in source.left_unread:
            print_message(sentence)
        folder = find_model(model or UNWHITENED_MODEL)
        card = _require_unwhitened(read_card(folder))
        require_samples(len(source.photos), "photos", dims)
        opened = open_model(folder, mode="throughput", threads=threads, max_pixels=max_pixels)
        out.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(out.parent, out.name) as scratch:
            folder_of_index = scratch / "index"
            report = build_index(
                source, folder_of_index, opened, progress=progress, descriptor_type="float32"
            )
            for photo in report.skipped:
                print_message(f"Skipped: {photo.name}: {photo.reason}")
            fit = fit_whitening(open_index(folder_of_index).descriptors(), dims, seed=seed)
    network = _whitened(load_network(folder, card), fit, in_bytes=views)
    new_card = _card(card, fit, method, out, dims)
    if directions is not None:
        description = {"what": "principal directions of local features of the same views"}
        new_card = replace(new_card, fitting={**new_card.fitting, "directions": description})
    return write_model(network, new_card, out, directions=directions)


@contextmanager
def _without_whitening(folder: Path, card: ModelCard, out: Path) -> Iterator[Path]:
    """The folder of a model without whitening: the model's own, or a copy of a whitened one."""
    if not card.whitened:
        yield folder
        return
    network = load_network(folder, card)
    network.whitening = None
    out.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(out.parent, out.name) as scratch:
        plain = scratch / card.id
        write_model(network, replace(card, dims=network.pool.dims, whitened=False), plain)
        yield plain


def _require_unwhitened(card: ModelCard) -> ModelCard:
    card.require_weights()
    if card.whitened:
        made_from = card.fitting.get("whitening", {}).get("model", card.id)
        # A whitened model may have the same id as the model that it was made from.
        other_model = (
            "another model" if made_from == card.id else f"'{made_from}', which it was made from"
        )
        raise TrainingError(f"'{card.id}' is whitened already; whiten {other_model}.")
    return card


def _whitened(network: Network, fit: WhiteningFit, *, in_bytes: bool) -> Network:
    layer = Whitening(network.pool.dims, len(fit.matrix), in_bytes=in_bytes)
    matrix, offset = torch.from_numpy(fit.matrix), torch.from_numpy(fit.offset)
    if in_bytes:
        layer.projection = ByteLinear.of(matrix, offset)
    else:
        layer.projection.load_state_dict({"weight": matrix, "bias": offset})
    network.whitening = layer
    return network.eval()


def _card(card: ModelCard, fit: WhiteningFit, method: str, out: Path, dims: int) -> ModelCard:
    whitening = {
        "what": method,
        "samples": fit.samples,
        "variance_kept": round(fit.variance_kept, 4),
        "model": card.id,
    }
    return replace(
        card,
        id=out.name,
        title=f"{card.title.partition(', whitened to ')[0]}, whitened to {dims}",
        dims=dims,
        whitened=True,
        files={},
        recall=(),
        fitting={**card.fitting, "whitening": whitening},
    )
