"""OpenIBL (SFRS, SARE): `base_model.base.*`, `net_vlad.*`, and mostly a whitening `pca_layer`."""

from place_search.models.importers.pytorch_netvlad import take_pool
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.tensors import CAFFE_MEAN, Tensors, Weights, assemble
from place_search.photos.preprocessing import Preprocessing

FAMILY = "OpenIBL"


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    return any(name.startswith("base_model.base.") for name in file.state)


def read(file: WeightFile) -> Weights:
    """Build the network. Pixels lose the mean of VGG-16's Caffe release, but stay RGB."""
    tensors = Tensors(file.path, FAMILY, file.state)
    backbone, network = tensors.take_backbone("base_model.base.")
    centroids, assignment, bias = take_pool(tensors, "net_vlad", network.channels)
    whitening = None
    if "pca_layer.weight" in tensors:
        matrix = tensors.take("pca_layer.weight", (None, centroids.numel(), 1, 1))
        whitening = matrix.flatten(1), tensors.take("pca_layer.bias", (len(matrix),))
    built = assemble(
        network,
        assignment,
        centroids,
        bias=bias,
        whitening=whitening,
        pixel_mean=CAFFE_MEAN,
        pixel_scale=(1.0, 1.0, 1.0),
    )
    tensors.finish()
    return Weights(FAMILY, backbone, built, Preprocessing("exact", 640, 480), "MIT")
