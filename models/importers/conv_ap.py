"""Conv-AP of GSV-Cities: torchvision's ResNet as `backbone.model.*`, `aggregator.channel_pool`."""

import re
from collections.abc import Mapping
from typing import Any

from place_search.models.aggregations.conv_ap import ConvAP
from place_search.models.network import Network
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.imagenet import numbered
from place_search.models.weight_files.tensors import Tensors, Weights, normalise_as_imagenet
from place_search.photos.preprocessing import Preprocessing

FAMILY = "Conv-AP"
_BACKBONE = "backbone.model."
_CHANNELS = "aggregator.channel_pool"
_SIDE = 320  # pixels


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    return f"{_CHANNELS}.weight" in file.state


def read(file: WeightFile) -> Weights:
    """Build the network: a ResNet to conv4 or conv5, and any length of descriptor."""
    tensors = Tensors(file.path, FAMILY, numbered(file.state, _BACKBONE))
    name, backbone = tensors.take_backbone(_BACKBONE)
    channels_out = tensors.shape_of(f"{_CHANNELS}.weight", 4)[0]
    cells = _SIDE // backbone.stride
    rows, columns = _regions(file, channels_out)
    if not all(isinstance(side, int) and 0 < side <= cells for side in (rows, columns)):
        raise tensors.error(f"has {rows} × {columns} regions of {cells} × {cells} cells")
    pool = ConvAP(
        backbone.channels, (cells, cells), channels_out=channels_out, regions=(rows, columns)
    )
    tensors.fill(pool.fewer_channels, _CHANNELS)
    tensors.finish()
    network = normalise_as_imagenet(Network(backbone, pool, gives_local=False))
    return Weights(FAMILY, name, network, Preprocessing("exact", _SIDE, _SIDE), "none stated")


def _regions(file: WeightFile, channels_out: int) -> tuple[Any, Any]:
    """Rows and columns of regions, which no tensor shows.

    A checkpoint of a training run holds its settings. Published files only show them in their name,
    as `resnet50_ConvAP_1024_2x2.ckpt`; all of these have 2 × 2.
    """
    settings = file.table.get("hyper_parameters")
    of_pool = settings.get("agg_config") if isinstance(settings, Mapping) else None
    if isinstance(of_pool, Mapping):
        return of_pool.get("s1", 2), of_pool.get("s2", 2)
    match = re.search(rf"_{channels_out}_(\d+)x(\d+)(?!\d)", file.path.name)
    return (int(match[1]), int(match[2])) if match else (2, 2)
