"""OpenIBL (SFRS, SARE): `base_model.base.*`, `net_vlad.*`, and mostly a whitening `pca_layer`."""

from place_search.models.importers.pytorch_netvlad import take_network
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.tensors import CAFFE_MEAN, Tensors, Weights
from place_search.photos.preprocessing import Preprocessing

FAMILY = "OpenIBL"


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    return any(name.startswith("base_model.base.") for name in file.state)


def read(file: WeightFile) -> Weights:
    """Build the network. Its pixel mean is that of VGG-16's Caffe release, in RGB order."""
    tensors = Tensors(file.path, FAMILY, file.state)
    backbone, network = take_network(
        tensors,
        "base_model.base.",
        "net_vlad",
        "pca_layer",
        pixel_mean=CAFFE_MEAN,
        pixel_scale=(1.0, 1.0, 1.0),
    )
    return Weights(FAMILY, backbone, network, Preprocessing("exact", 640, 480), "MIT")
