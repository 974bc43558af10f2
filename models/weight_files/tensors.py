"""What a reader finds in a file, and the checks that all readers share."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from place_search.models.aggregations.netvlad import NetVLAD
from place_search.models.card import MAX_DIMS, Recall
from place_search.models.errors import ModelError
from place_search.models.layers import Backbone, Whitening
from place_search.models.network import Network, load_backbone
from place_search.photos.preprocessing import Preprocessing

IMAGENET_MEAN = tuple(255 * value for value in (0.485, 0.456, 0.406))
IMAGENET_SCALE = tuple(1 / (255 * value) for value in (0.229, 0.224, 0.225))
"""torchvision's normalisation, for RGB 0–255."""

CAFFE_MEAN = (123.68, 116.779, 103.939)
"""The mean of the Caffe and MatConvNet models, in the order RGB; they do not scale."""

TORCHVISION = (
    *("vgg16", "alexnet", "resnet18", "resnet50"),
    *("resnet18-conv5", "resnet50-conv5", "resnet101-conv5", "resnet152-conv5"),
)
"""Backbones whose layers are numbered as in torchvision."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A network read from somebody's file, and what its card says of it.

    `licence` is that of the family's published weights.
    """

    family: str
    backbone: str
    network: Network
    preprocessing: Preprocessing
    licence: str
    recall: Sequence[Recall] = ()


class Tensors:
    """The named tensors of a file, each taken once and checked on the way."""

    def __init__(self, path: Path, family: str, tensors: Mapping[str, Any]) -> None:
        self.path = path
        self.family = family
        self._left = dict(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, shape: Sequence[int | None]) -> Tensor:
        """A tensor as float32; None in `shape` takes any length.

        Raises:
            ModelError: it is missing, has another shape, holds what is not a finite number, or is
                a variance below 0.
        """
        wanted = _shape("any" if length is None else length for length in shape)
        found = self._found(name, f", {wanted}")
        del self._left[name]
        fits = len(found.shape) == len(shape) and all(
            wanted_length in (None, length)
            for length, wanted_length in zip(found.shape, shape, strict=True)
        )
        if not fits:
            raise self.error(f"has {name} of shape {_shape(found.shape)} instead of {wanted}")
        values = found.detach().float()
        if not values.isfinite().all():
            raise self.error(f"has values in {name} that are no finite numbers in float32")
        if name.endswith("running_var") and (values < 0).any():
            raise self.error(f"has variances below 0 in {name}")
        return values

    def shape_of(self, name: str, dimensions: int) -> tuple[int, ...]:
        """The lengths of a tensor, which stays to be taken.

        Raises:
            ModelError: it is missing, or has not so many dimensions.
        """
        found = self._found(name)
        if found.ndim != dimensions:
            raise self.error(f"has {name} of shape {_shape(found.shape)}")
        return tuple(found.shape)

    def _found(self, name: str, wanted: str = "") -> Tensor:
        """A tensor that is there, no larger than what the file stores of it."""
        found = self._left.get(name)
        if not isinstance(found, Tensor):
            raise self.error(f"lacks {name}{wanted}")
        kind = _unusual(found)
        if kind:
            raise self.error(
                f"has {name} as a tensor that is {kind}",
                "save it as a plain tensor of float32 values",
            )
        # A stride of 0 makes a number stand for any many of them.
        stored = found.untyped_storage().nbytes() // found.element_size()
        if found.numel() > stored:
            raise self.error(
                f"has {name} of shape {_shape(found.shape)}, of which it stores {stored} numbers"
            )
        return found

    def count(self, prefix: str) -> int:
        """How many numbers follow `prefix`, as in `blocks.0.weight`."""
        rests = (name.removeprefix(prefix) for name in self._left if name.startswith(prefix))
        return len({rest.partition(".")[0] for rest in rests})

    def fill(self, layer: nn.Module, name: str) -> None:
        """Take all weights of a layer, which the file has as `NAME.weight`, `NAME.bias`, …"""
        state = layer.state_dict()
        layer.load_state_dict(
            {part: self.take(f"{name}.{part}", value.shape) for part, value in state.items()}
        )

    def take_backbone(self, prefix: str) -> tuple[str, Backbone]:
        """The torchvision backbone whose layers begin with `prefix`, by name, and with weights."""
        names = {name.removeprefix(prefix) for name in self._left if name.startswith(prefix)}
        backbone = recognise_backbone(names)
        if backbone is None:
            raise self.error(
                f"has layers {prefix}* that are not those of {', '.join(TORCHVISION)}, cut before "
                "their last pooling"
            )
        network = load_backbone(backbone)()
        layers = network.get_submodule("layers")
        state = {}
        for name, value in layers.state_dict().items():
            if name.endswith("num_batches_tracked"):
                self._left.pop(f"{prefix}{name}", None)
                state[name] = value
            else:
                state[name] = self.take(f"{prefix}{name}", value.shape)
        layers.load_state_dict(state)
        return backbone, network

    def drop(self, name: str) -> None:
        """Leave out a tensor that the network does not need, if it is there."""
        self._left.pop(name, None)

    def finish(self) -> None:
        """Make sure that nothing is left.

        Raises:
            ModelError: there are layers that no one took, so the file is of another network.
        """
        if self._left:
            raise self.error(f"has layers that it should not have ({some(self._left)})")

    def error(
        self,
        what: str,
        remedy: str = "give the file as published, or another of the supported families",
    ) -> ModelError:
        """What to raise for a file that is almost of the family."""
        return ModelError(f"{self.path} looks like weights of {self.family} but {what}; {remedy}.")


def require_dims(path: Path, dims: int) -> None:
    """Raise `ModelError` where the descriptors of a file have more than `MAX_DIMS` numbers."""
    if dims > MAX_DIMS:
        raise ModelError(
            f"{path} gives descriptors of {dims} numbers, and {MAX_DIMS} are the most that is "
            "imported; give weights of fewer clusters or channels."
        )


def assemble(
    backbone: Backbone,
    assignment: Tensor,
    centroids: Tensor,
    *,
    bias: Tensor | None = None,
    whitening: tuple[Tensor, Tensor] | None = None,
    pixel_mean: Sequence[float] = IMAGENET_MEAN,
    pixel_scale: Sequence[float] = IMAGENET_SCALE,
    cell_step: int = 1,
) -> Network:
    """A network from its parts: (K, C) assignment and centroids, (K,) bias in v2.

    `whitening` is the matrix (P, K·C), for descriptors flattened cluster by cluster, and the
    offset (P,). The mean cell is unknown for weights fitted elsewhere; that of the centroids
    stands for it.
    """
    clusters, channels = centroids.shape
    pool = NetVLAD(clusters, channels, bias=bias is not None)
    last = None if whitening is None else Whitening(pool.dims, len(whitening[0]))
    network = Network(backbone, pool, last, cell_step=cell_step)
    with torch.no_grad():
        pool.assignment.weight.copy_(assignment.reshape(clusters, channels, 1, 1))
        pool.centroids.copy_(centroids)
        if bias is not None and pool.assignment.bias is not None:
            pool.assignment.bias.copy_(bias)
        if last is not None and whitening is not None:
            last.projection.load_state_dict({"weight": whitening[0], "bias": whitening[1]})
        network.pixel_mean.copy_(torch.tensor(pixel_mean))
        network.pixel_scale.copy_(torch.tensor(pixel_scale))
        network.cell_mean.copy_(centroids.mean(dim=0))
    return network.eval()


def normalise_as_imagenet(network: Network) -> Network:
    """The network, which from now on normalises pixels as torchvision's models expect."""
    network.pixel_mean.copy_(torch.tensor(IMAGENET_MEAN))
    network.pixel_scale.copy_(torch.tensor(IMAGENET_SCALE))
    return network.eval()


def recognise_backbone(names: Iterable[str]) -> str | None:
    """The torchvision backbone that has layers of exactly these names, as in `0.weight`."""
    found = _counted(names)
    return next((name for name in TORCHVISION if _layer_names(name) == found), None)


@functools.cache
def _layer_names(backbone: str) -> frozenset[str]:
    with torch.device("meta"):
        return _counted(load_backbone(backbone)().get_submodule("layers").state_dict())


def _counted(names: Iterable[str]) -> frozenset[str]:
    # Checkpoints of old versions of torch do not count the batches of a norm.
    return frozenset(name for name in names if not name.endswith("num_batches_tracked"))


def some(names: Iterable[str]) -> str:
    """The first few of many names."""
    first = sorted(names)
    return ", ".join(first[:3]) + (f" and {len(first) - 3} more" if len(first) > 3 else "")


def _unusual(tensor: Tensor) -> str | None:
    """What a tensor is that is no plain one of floating-point numbers."""
    if tensor.is_meta:
        return "without values (on the device meta)"
    if tensor.layout != torch.strided:
        return "sparse"
    if tensor.is_quantized or not tensor.is_floating_point():
        return f"of type {str(tensor.dtype).removeprefix('torch.')}"
    return None


def _shape(lengths: Iterable[object]) -> str:
    return " × ".join(map(str, lengths)) or "a single number"
