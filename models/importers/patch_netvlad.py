"""Patch-NetVLAD's global descriptor: pytorch-NetVlad's layers, then a whitening `WPCA`."""

from place_search.models.importers.pytorch_netvlad import take_pool
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.tensors import Tensors, Weights, assemble
from place_search.photos.preprocessing import Preprocessing

FAMILY = "Patch-NetVLAD"


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    return "num_pcs" in file.table or "WPCA.0.weight" in file.state


def read(file: WeightFile) -> Weights:
    """Build the network; any number of clusters (16 for Mapillary, 64 for Pittsburgh)."""
    tensors = Tensors(file.path, FAMILY, file.state)
    backbone, network = tensors.take_backbone("encoder.")
    centroids, assignment, bias = take_pool(tensors, "pool", network.channels)
    whitening = None
    if "WPCA.0.weight" in tensors:
        matrix = tensors.take("WPCA.0.weight", (None, centroids.numel(), 1, 1))
        whitening = matrix.flatten(1), tensors.take("WPCA.0.bias", (len(matrix),))
    tensors.finish()
    return Weights(
        FAMILY,
        backbone,
        assemble(network, assignment, centroids, bias=bias, whitening=whitening),
        Preprocessing("exact", 640, 480),
        "MIT",
    )
