"""deep-visual-geo-localization-benchmark: `backbone.*` and `aggregation.*`, NetVLAD or GeM.

Its PCA is fitted during evaluation and is in no checkpoint, so descriptors have their full length.
"""

from place_search.models.aggregations.gem import GeM
from place_search.models.importers.pytorch_netvlad import take_pool
from place_search.models.network import Network
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.tensors import (
    Tensors,
    Weights,
    assemble,
    normalise_as_imagenet,
)
from place_search.photos.preprocessing import Preprocessing

FAMILY = "deep-visual-geo-localization-benchmark"
_POWER = "aggregation.1.p"
_GEM = {_POWER, "backbone.0.weight"}
_NETVLAD = ("aggregation.centroids", "aggregation.conv.weight")


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    # A GeM before a linear layer is CosPlace's.
    is_gem = file.state.keys() >= _GEM and "aggregation.3.weight" not in file.state
    return is_gem or any(name in file.state for name in _NETVLAD)


def read(file: WeightFile) -> Weights:
    """Build the network: VGG-16, AlexNet, or a ResNet to its conv4."""
    tensors = Tensors(file.path, FAMILY, file.state)
    backbone, network = tensors.take_backbone("backbone.")
    if _POWER in tensors:
        pool = GeM(network.channels)
        pool.power.data.copy_(tensors.take(_POWER, (1,)))
        whole_network = normalise_as_imagenet(Network(network, pool, gives_local=False))
    else:
        centroids, assignment, bias = take_pool(tensors, "aggregation", network.channels)
        whole_network = assemble(network, assignment, centroids, bias=bias)
    tensors.finish()
    return Weights(FAMILY, backbone, whole_network, Preprocessing("exact", 640, 480), "MIT")
