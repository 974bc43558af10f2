"""The tensors of a weight file, and the checks that all importers share."""

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
"""The mean of the Caffe and MatConvNet models, in the order RGB; their scale is 1."""

TORCHVISION = (
    *("vgg16", "alexnet", "resnet18", "resnet50"),
    *("resnet18-conv5", "resnet50-conv5", "resnet101-conv5", "resnet152-conv5"),
)
"""Backbones with torchvision's numbers of layers."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A network read from a file of others, with the entries for its card.

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
        self._remaining = dict(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._remaining

    def take(self, name: str, shape: Sequence[int | None]) -> Tensor:
        """Take a tensor as float32; None in `shape` stands for any length.

        Raises:
            ModelError: it is missing, has another shape, holds values that are not finite, or
                variances below 0.
        """
        expected = _shape("any" if length is None else length for length in shape)
        tensor = self._tensor(name, f", {expected}")
        del self._remaining[name]
        fits = len(tensor.shape) == len(shape) and all(
            expected_length in (None, length)
            for length, expected_length in zip(tensor.shape, shape, strict=True)
        )
        if not fits:
            raise self.error(f"has {name} of shape {_shape(tensor.shape)} instead of {expected}")
        values = tensor.detach().float()
        if not values.isfinite().all():
            raise self.error(f"has values in {name} that are no finite numbers in float32")
        if name.endswith("running_var") and (values < 0).any():
            raise self.error(f"has variances below 0 in {name}")
        return values

    def shape_of(self, name: str, dimensions: int) -> tuple[int, ...]:
        """The shape of a tensor that is not taken yet.

        Raises:
            ModelError: it is missing, or does not have `dimensions` dimensions.
        """
        tensor = self._tensor(name)
        if tensor.ndim != dimensions:
            raise self.error(f"has {name} of shape {_shape(tensor.shape)}")
        return tuple(tensor.shape)

    def _tensor(self, name: str, expected: str = "") -> Tensor:
        """An existing tensor; refuses one with more numbers than the file stores for it."""
        tensor = self._remaining.get(name)
        if not isinstance(tensor, Tensor):
            raise self.error(f"lacks {name}{expected}")
        kind = _unusual(tensor)
        if kind:
            raise self.error(
                f"has {name} as a tensor that is {kind}",
                "save it as a plain tensor of float32 values",
            )
        # With a stride of 0 a stored number would stand for any number of values.
        stored = tensor.untyped_storage().nbytes() // tensor.element_size()
        if tensor.numel() > stored:
            raise self.error(
                f"has {name} of shape {_shape(tensor.shape)}, of which it stores {stored} numbers"
            )
        return tensor

    def count(self, prefix: str) -> int:
        """The number of different parts after `prefix`, as of numbered blocks."""
        endings = (name.removeprefix(prefix) for name in self._remaining if name.startswith(prefix))
        return len({ending.partition(".")[0] for ending in endings})

    def fill(self, layer: nn.Module, name: str) -> None:
        """Take all weights of a layer, named `NAME.weight`, `NAME.bias`, … in the file."""
        state = layer.state_dict()
        layer.load_state_dict(
            {part: self.take(f"{name}.{part}", value.shape) for part, value in state.items()}
        )

    def take_backbone(self, prefix: str) -> tuple[str, Backbone]:
        """The name of the torchvision backbone with layers `prefix`…, and the backbone."""
        names = {name.removeprefix(prefix) for name in self._remaining if name.startswith(prefix)}
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
                self._remaining.pop(f"{prefix}{name}", None)
                state[name] = value
            else:
                state[name] = self.take(f"{prefix}{name}", value.shape)
        layers.load_state_dict(state)
        return backbone, network

    def drop(self, name: str) -> None:
        """Drop a tensor that the network does not need, if the file has it."""
        self._remaining.pop(name, None)

    def finish(self) -> None:
        """Make sure that all tensors were taken.

        Raises:
            ModelError: layers remain, so that the file is of another network.
        """
        if self._remaining:
            raise self.error(f"has layers that it should not have ({first_names(self._remaining)})")

    def error(
        self,
        fault: str,
        remedy: str = "give the file as published, or another of the supported families",
    ) -> ModelError:
        """The error for a file that resembles the family but has a fault."""
        return ModelError(f"{self.path} looks like weights of {self.family} but {fault}; {remedy}.")


def require_dims(path: Path, dims: int) -> None:
    """Raise `ModelError` if the descriptors of a file have more than `MAX_DIMS` numbers."""
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
    offset (P,). The mean local feature of weights fitted elsewhere is unknown; the mean of the
    centroids replaces it.
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
    """Set a network's normalisation of pixels to torchvision's, and return the network."""
    network.pixel_mean.copy_(torch.tensor(IMAGENET_MEAN))
    network.pixel_scale.copy_(torch.tensor(IMAGENET_SCALE))
    return network.eval()


def recognise_backbone(names: Iterable[str]) -> str | None:
    """The name of the torchvision backbone with layers of exactly these names, as `0.weight`."""
    layer_names = _without_counters(names)
    return next((name for name in TORCHVISION if _layer_names(name) == layer_names), None)


@functools.cache
def _layer_names(backbone: str) -> frozenset[str]:
    with torch.device("meta"):
        return _without_counters(load_backbone(backbone)().get_submodule("layers").state_dict())


def _without_counters(names: Iterable[str]) -> frozenset[str]:
    # Checkpoints of old versions of torch lack the counter of a norm's batches.
    return frozenset(name for name in names if not name.endswith("num_batches_tracked"))


def first_names(names: Iterable[str]) -> str:
    """The first three names, sorted, and the number of the others."""
    first = sorted(names)
    return ", ".join(first[:3]) + (f" and {len(first) - 3} more" if len(first) > 3 else "")


def _unusual(tensor: Tensor) -> str | None:
    """Why a tensor is not a plain one of floating-point numbers, as a phrase; None if it is."""
    if tensor.is_meta:
        return "without values (on the device meta)"
    if tensor.layout != torch.strided:
        return "sparse"
    if tensor.is_quantized or not tensor.is_floating_point():
        return f"of type {str(tensor.dtype).removeprefix('torch.')}"
    return None


def _shape(lengths: Iterable[object]) -> str:
    return " × ".join(map(str, lengths)) or "a single number"
