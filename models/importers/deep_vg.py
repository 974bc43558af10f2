"""deep-visual-geo-localization-benchmark: `backbone.*` and `aggregation.*`.

Its PCA is fitted when it evaluates and is in no checkpoint, so descriptors come at full length.
"""

from place_search.models.importers.pytorch_netvlad import take_pool
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.tensors import Tensors, Weights, assemble
from place_search.photos.preprocessing import Preprocessing

FAMILY = "deep-visual-geo-localization-benchmark"


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    layers = ("aggregation.centroids", "aggregation.conv.weight")
    return any(name in file.state for name in layers)


def read(file: WeightFile) -> Weights:
    """Build the network: VGG-16, AlexNet, or a ResNet to its conv4."""
    tensors = Tensors(file.path, FAMILY, file.state)
    backbone, network = tensors.take_backbone("backbone.")
    centroids, assignment, bias = take_pool(tensors, "aggregation", network.channels)
    built = assemble(network, assignment, centroids, bias=bias)
    tensors.finish()
    return Weights(FAMILY, backbone, built, Preprocessing("exact", 640, 480), "MIT")
