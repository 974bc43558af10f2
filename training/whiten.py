"""`place-search whiten`: a model and descriptors in, the whitened model out."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from place_search.core.progress import Progress
from place_search.indexer import build_index, holds_index, open_index, open_index_model, open_source
from place_search.models import ModelCard, find_model, open_model, read_card
from place_search.models.folder import write_model
from place_search.models.layers import Whitening
from place_search.models.network import Network, load_network
from place_search.models.new_folder import require_free
from place_search.photos.decoding import MAX_PIXELS
from place_search.training.errors import TrainingError
from place_search.training.whitening import WhiteningFit, fit_whitening, require_samples


def whiten(
    data: Path,
    out: Path,
    *,
    dims: int,
    model: str | Path | None = None,
    threads: int | None = None,
    seed: int = 0,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> ModelCard:
    """Fit a whitening on an index, or on photos, and write the whitened model as `out`.

    `data` is an index, whose own model is then the default, or a source of photos, which are
    described into a temporary index beside `out`. Cropping the new model's descriptors is
    legitimate: their numbers come by falling variance.

    Raises:
        TrainingError: too few photos, or a model that is whitened already.
        ModelError: an unknown model, or `out` exists.
        PlaceSearchError: `data` is no index and no source of photos, or of another model.
    """
    require_free(out)
    if holds_index(data):
        index = open_index(data)
        folder = find_model(model or index.model_id)
        card = _plain(read_card(folder))
        index.check_model(open_index_model(index.manifest, folder, threads=threads))
        fit = fit_whitening(index.descriptors(), dims, seed=seed)
    else:
        source = open_source(data)
        opened = open_model(folder := find_model(model or ""), mode="throughput", threads=threads)
        opened.max_pixels = max_pixels
        card = _plain(opened.card)
        require_samples(len(source.photos), "photos", dims)
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
            folder_of_index = Path(scratch) / "index"
            build_index(
                source, folder_of_index, opened, progress=progress, descriptor_type="float32"
            )
            fit = fit_whitening(open_index(folder_of_index).descriptors(), dims, seed=seed)
    return write_model(_whitened(load_network(folder, card), fit), _card(card, fit, out, dims), out)


def _plain(card: ModelCard) -> ModelCard:
    if card.whitened:
        raise TrainingError(f"'{card.id}' is whitened already; whiten the model it was made from.")
    return card


def _whitened(network: Network, fit: WhiteningFit) -> Network:
    layer = Whitening(network.pool.dims, len(fit.matrix))
    with torch.no_grad():
        layer.projection.weight.copy_(torch.from_numpy(fit.matrix))
        layer.projection.bias.copy_(torch.from_numpy(fit.offset))
    network.whitening = layer
    return network.eval()


def _card(card: ModelCard, fit: WhiteningFit, out: Path, dims: int) -> ModelCard:
    whitening = {
        "what": "PCA whitening (Jégou & Chum 2012)",
        "samples": fit.samples,
        "variance_kept": round(fit.variance_kept, 4),
        "model": card.id,
    }
    return replace(
        card,
        id=out.name,
        title=f"{card.title}, whitened to {dims}",
        dims=dims,
        whitened=True,
        files={},
        recall=(),
        fitting={**card.fitting, "whitening": whitening},
    )
