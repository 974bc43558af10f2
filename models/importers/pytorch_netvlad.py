"""pytorch-NetVlad: `encoder.*` and `pool.*`, VGG-16 or AlexNet, v1 or v2."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from torch import Tensor

from place_search.models.card import Recall
from place_search.models.errors import ModelError
from place_search.models.network import Network
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.tensors import (
    IMAGENET_MEAN,
    IMAGENET_SCALE,
    Tensors,
    Weights,
    assemble,
    require_dims,
)
from place_search.photos.preprocessing import Preprocessing

FAMILY = "pytorch-NetVlad"
OWN = "place_search"
"""The entry of a checkpoint in which `place-search export` stores data outside the layout."""


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    # Patch-NetVLAD's checkpoints have these layers too, and a whitening besides.
    whitened = "num_pcs" in file.table or "WPCA.0.weight" in file.state
    layers = any(name.startswith("encoder.") for name in file.state)
    return "pool.centroids" in file.state and layers and not whitened


def read(file: WeightFile) -> Weights:
    """Build the network.

    Photos keep their aspect ratio, within 640 × 480, unless place-search exported the file.
    """
    tensors = Tensors(file.path, FAMILY, file.state)
    backbone, network = take_network(tensors, "encoder.", "pool")
    return Weights(
        FAMILY,
        backbone,
        network,
        _preprocessing(file),
        "not stated by its publisher",
        _recalls(file.table),
    )


def take_network(
    tensors: Tensors,
    encoder: str,
    pool: str,
    whitening: str | None = None,
    *,
    pixel_mean: Sequence[float] = IMAGENET_MEAN,
    pixel_scale: Sequence[float] = IMAGENET_SCALE,
) -> tuple[str, Network]:
    """The backbone's name and the network of a whole file, with a whitening if it has one."""
    backbone, network = tensors.take_backbone(encoder)
    centroids, assignment, bias = take_pool(tensors, pool, network.channels)
    last = None
    if whitening is not None and f"{whitening}.weight" in tensors:
        matrix = tensors.take(f"{whitening}.weight", (None, centroids.numel(), 1, 1))
        last = matrix.flatten(1), tensors.take(f"{whitening}.bias", (len(matrix),))
    tensors.finish()
    return backbone, assemble(
        network,
        assignment,
        centroids,
        bias=bias,
        whitening=last,
        pixel_mean=pixel_mean,
        pixel_scale=pixel_scale,
    )


def take_pool(tensors: Tensors, prefix: str, channels: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Centroids (K, C), assignment (K, C, 1, 1), and the bias (K,) that only v2 has."""
    clusters = tensors.shape_of(f"{prefix}.centroids", 2)[0]
    require_dims(tensors.path, clusters * channels)
    centroids = tensors.take(f"{prefix}.centroids", (None, channels))
    weight = tensors.take(f"{prefix}.conv.weight", (clusters, channels, 1, 1))
    bias = f"{prefix}.conv.bias"
    return centroids, weight, tensors.take(bias, (clusters,)) if bias in tensors else None


def _preprocessing(file: WeightFile) -> Preprocessing:
    if OWN not in file.table:
        return Preprocessing("longest", 640, 480)
    try:
        return Preprocessing(**file.table[OWN]["preprocessing"])
    except (TypeError, KeyError, ValueError):
        raise ModelError(
            f"{file.path} does not say how photos are resized; export the model again."
        ) from None


def _recalls(table: Mapping[str, Any]) -> list[Recall]:
    """The recalls that training wrote into its checkpoint; recalls of other forms are ignored."""
    recalls = table.get("recalls")
    if not isinstance(recalls, Mapping):
        return []
    at = {
        str(n): round(100 * float(share), 1)
        for n, share in recalls.items()
        if n in (1, 5, 10) and isinstance(share, Real) and 0 <= float(share) <= 1
    }
    note = "as the checkpoint says of its own validation"
    # No name that data to evaluate may have, such as validation.csv.
    return [Recall("its own validation", "published", at, note)] if at else []
