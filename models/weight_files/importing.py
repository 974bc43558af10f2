"""Turns other people's weights into a model folder that serves without torch."""

from collections.abc import Sequence
from pathlib import Path

from place_search.core.files import sha256_of
from place_search.models.card import (
    Aggregation,
    ModelCard,
    Recall,
    WeightSource,
)
from place_search.models.folder import write_model
from place_search.models.new_folder import require_free
from place_search.models.weight_files.read import read_weights
from place_search.models.weight_files.tensors import Weights


def import_weights(
    path: Path,
    out: Path,
    *,
    title: str = "",
    origin: str = "",
    licence: str = "",
    recall: Sequence[Recall] = (),
) -> ModelCard:
    """Read a weight file and write it as the model folder `out`.

    `title`, `origin`, `licence` and `recall` go into the card, by default those of the file's
    family. The exported graph is compared with the network before the folder appears.

    Raises:
        ModelError: `out` exists, or the file cannot be used.
    """
    require_free(out)
    weights = read_weights(path)
    pool = weights.network.pool
    licence = licence or weights.licence
    card = ModelCard(
        id=out.name,
        title=title or _title(weights),
        family=weights.family,
        backbone=weights.backbone,
        aggregation=Aggregation(pool.name, pool.parameters_of_card),
        local_features=weights.network.local_features,
        dims=weights.network.dims,
        licence=licence,
        preprocessing=weights.preprocessing,
        files={},
        whitened=weights.network.whitening is not None,
        sources=(WeightSource(weights.family, origin or path.name, licence, sha256_of(path)),),
        recall=(*recall, *weights.recall),
    )
    return write_model(weights.network, card, out)


def _title(weights: Weights) -> str:
    network = weights.network
    whitened = "" if network.whitening is None else ", whitened"
    return f"{weights.backbone} + {network.pool.in_words}{whitened}"
