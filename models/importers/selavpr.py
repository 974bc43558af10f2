"""SelaVPR: DINOv2's ViT-L/14 with adapters as `backbone.*`, and GeM's `aggregation.1.p`.

Only its global descriptor is read. Its part for re-ranking, `LocalAdapt`, gives 61 × 61 local
features of 128 numbers, which place-search does not use: it verifies with its own features.
"""

from place_search.models.aggregations.gem import GeM
from place_search.models.network import Network
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.dinov2 import take_dinov2
from place_search.models.weight_files.tensors import Tensors, Weights, normalise_as_imagenet
from place_search.photos.preprocessing import Preprocessing

FAMILY = "SelaVPR"
_ADAPTER = "backbone.blocks.0.adapter1.D_fc1.weight"


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    return _ADAPTER in file.state


def read(file: WeightFile) -> Weights:
    """Build the network, which takes only photos of 224 × 224."""
    tensors = Tensors(file.path, FAMILY, file.state)
    name, backbone = take_dinov2(tensors, "backbone.", "-adapted")
    pool = GeM(backbone.channels)
    pool.power.data.copy_(tensors.take("aggregation.1.p", (1,)))
    for part in ("upconv1", "upconv2"):
        for kind in ("weight", "bias"):
            tensors.drop(f"LocalAdapt.{part}.{kind}")
    tensors.finish()
    network = normalise_as_imagenet(Network(backbone, pool, gives_local=False))
    return Weights(FAMILY, name, network, Preprocessing("exact", 224, 224), "MIT")
