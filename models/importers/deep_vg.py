"""deep-visual-geo-localization-benchmark: `backbone.*` and `aggregation.*`.

Its PCA is fitted when it evaluates and is in no checkpoint, so descriptors come at full length.
"""

from collections.abc import Mapping
from typing import Any

from place_search.models.importers.pytorch_netvlad import take_pool
from place_search.models.importers.tensors import Tensors, Weights, assemble
from place_search.photos.preprocessing import Preprocessing

FAMILY = "deep-visual-geo-localization-benchmark"


def matches(table: Mapping[str, Any], names: frozenset[str]) -> bool:
    """Whether a checkpoint with weights of these names is of this family."""
    return any(name.startswith("aggregation.") for name in names)


def read(tensors: Tensors, table: Mapping[str, Any]) -> Weights:
    """Build the network: VGG-16, AlexNet, or a ResNet to its conv4."""
    backbone, network = tensors.take_backbone("backbone.")
    centroids, assignment, bias = take_pool(tensors, "aggregation", network.channels)
    built = assemble(network, assignment, centroids, bias=bias)
    return Weights(FAMILY, backbone, built, Preprocessing("exact", 640, 480), "MIT")
