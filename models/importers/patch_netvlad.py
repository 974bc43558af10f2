"""Patch-NetVLAD's global descriptor: pytorch-NetVlad's layers, then a whitening `WPCA`."""

from collections.abc import Mapping
from typing import Any

from place_search.models.importers.pytorch_netvlad import take_pool
from place_search.models.importers.tensors import Tensors, Weights, assemble
from place_search.photos.preprocessing import Preprocessing

FAMILY = "Patch-NetVLAD"


def matches(table: Mapping[str, Any], names: frozenset[str]) -> bool:
    """Whether a checkpoint with weights of these names is of this family."""
    return "num_pcs" in table or "WPCA.0.weight" in names


def read(tensors: Tensors, table: Mapping[str, Any]) -> Weights:
    """Build the network; any number of clusters (16 for Mapillary, 64 for Pittsburgh)."""
    backbone, network = tensors.take_backbone("encoder.")
    centroids, assignment, bias = take_pool(tensors, "pool", network.channels)
    whitening = None
    if "WPCA.0.weight" in tensors:
        matrix = tensors.take("WPCA.0.weight", (None, centroids.numel(), 1, 1))
        whitening = matrix.flatten(1), tensors.take("WPCA.0.bias", (len(matrix),))
    return Weights(
        FAMILY,
        backbone,
        assemble(network, assignment, centroids, bias=bias, whitening=whitening),
        Preprocessing("exact", 640, 480),
        "MIT",
    )
