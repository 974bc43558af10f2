"""Patch-NetVLAD's global descriptor: pytorch-NetVlad's layers, then a whitening `WPCA`."""

from place_search.models.importers.pytorch_netvlad import take_network
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.tensors import Tensors, Weights
from place_search.photos.preprocessing import Preprocessing

FAMILY = "Patch-NetVLAD"


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    return "num_pcs" in file.table or "WPCA.0.weight" in file.state


def read(file: WeightFile) -> Weights:
    """Build the network; any number of clusters (16 for Mapillary, 64 for Pittsburgh)."""
    tensors = Tensors(file.path, FAMILY, file.state)
    backbone, network = take_network(tensors, "encoder.", "pool", "WPCA.0")
    return Weights(FAMILY, backbone, network, Preprocessing("exact", 640, 480), "MIT")
