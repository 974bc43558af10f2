"""CosPlace and EigenPlaces: `backbone.*`, GeM's `aggregation.1.p`, a linear `aggregation.3`.

Both publish the same layers, so that a file does not show which of the two it is.
"""

from place_search.models.aggregations.gem_linear import GeMLinear
from place_search.models.network import Network
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.tensors import Tensors, Weights, normalise_as_imagenet
from place_search.photos.preprocessing import Preprocessing

FAMILY = "CosPlace and EigenPlaces"
_LINEAR = "aggregation.3"


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    return f"{_LINEAR}.weight" in file.state


def read(file: WeightFile) -> Weights:
    """Build the network: VGG-16, or ResNet-18, -50, -101 or -152 to conv5."""
    tensors = Tensors(file.path, FAMILY, file.state)
    name, backbone = tensors.take_backbone("backbone.")
    power = tensors.take("aggregation.1.p", (1,))
    pool = GeMLinear(backbone.channels, tensors.shape_of(f"{_LINEAR}.weight", 2)[0])
    pool.means.power.data.copy_(power)
    tensors.fill(pool.projection, _LINEAR)
    tensors.finish()
    network = normalise_as_imagenet(Network(backbone, pool, gives_local=False))
    return Weights(FAMILY, name, network, Preprocessing("longest", 640, 480), "MIT")
