"""MixVPR: torchvision's ResNet-50 to conv4 as `backbone.model.*`, and `aggregator.mix.*`."""

import math

from place_search.models.aggregations.mixvpr import MixVPR
from place_search.models.network import Network
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.imagenet import numbered
from place_search.models.weight_files.tensors import Tensors, Weights, normalise_as_imagenet
from place_search.photos.preprocessing import Preprocessing

FAMILY = "MixVPR"
_BACKBONE = "backbone.model."
_MIXERS = "aggregator.mix."
_CHANNELS, _ROWS = "aggregator.channel_proj", "aggregator.row_proj"


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    return f"{_CHANNELS}.weight" in file.state


def read(file: WeightFile) -> Weights:
    """Build the network: any length of descriptor, and any size of square photos."""
    tensors = Tensors(file.path, FAMILY, numbered(file.state, _BACKBONE))
    name, backbone = tensors.take_backbone(_BACKBONE)
    rows, cells = tensors.shape_of(f"{_ROWS}.weight", 2)
    side = math.isqrt(cells)
    if side**2 != cells:
        raise tensors.error(f"is made for {cells} cells, which are no square")
    pool = MixVPR(
        backbone.channels,
        (side, side),
        mixers=tensors.count(_MIXERS),
        hidden=tensors.shape_of(f"{_MIXERS}0.mix.1.weight", 2)[0],
        channels_out=tensors.shape_of(f"{_CHANNELS}.weight", 2)[0],
        rows_out=rows,
    )
    for number, mixer in enumerate(pool.mixers):
        for place, part in ((0, "norm"), (1, "widen"), (3, "narrow")):
            tensors.fill(mixer.get_submodule(part), f"{_MIXERS}{number}.mix.{place}")
    tensors.fill(pool.fewer_channels, _CHANNELS)
    tensors.fill(pool.fewer_rows, _ROWS)
    tensors.finish()
    network = normalise_as_imagenet(Network(backbone, pool, gives_local=False))
    size = side * backbone.stride
    return Weights(FAMILY, name, network, Preprocessing("exact", size, size), "none stated")
