"""The parts of a network as torch modules: backbone, aggregation and whitening."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional


class Backbone(nn.Module):
    """A network up to the local features that an aggregation pools.

    Maps (N, 3, H, W) normalised RGB photos to (N, `channels`, h, w) features, one every `stride`
    pixels. H and W are multiples of `multiple`, and at least `photos.preprocessing.MIN_SIDE`.
    `forward` applies `layers` in their order, unless a subclass overrides it.
    """

    channels: int
    stride: int
    multiple: int = 1
    grid: tuple[int, int] | None = None
    """The only (h, w) of a backbone with fixed positions of features; None for any."""
    layers: nn.Sequential

    def units(self) -> list[nn.Module]:
        """The parts of the network in the order in which they are applied."""
        return list(self.layers)

    def forward(self, photos: Tensor) -> Tensor:
        """(N, 3, H, W) normalised photos to (N, C, h, w) features."""
        features: Tensor = self.layers(photos)
        return features

    def with_token(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """Features, and a token (N, C) of the whole photo, which only transformers have."""
        raise NotImplementedError

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Load ImageNet weights under their publisher's names, here `features.0.weight`, …"""
        names = self.layers.state_dict()
        self.layers.load_state_dict({name: state[f"features.{name}"] for name in names})


class AggregationLayer(nn.Module):
    """Pools (N, C, h, w) local features to (N, `dims`) descriptors of L2 norm 1."""

    name: str
    """The name of the part in model cards."""
    of_unit_features = True
    """Whether local features are L2-normalised before they are pooled."""
    takes_token = False
    """Whether the layer also pools a transformer's token of the whole photo, (N, C)."""
    optional_parameters: tuple[str, ...] = ()
    """Parameters that `build` takes beside those of `parameters_of_card`; others are refused."""
    grid: tuple[int, int] | None = None
    """The only (h, w) of a layer with fixed positions of features; None for any."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    @classmethod
    def build(
        cls, channels: int, parameters: Mapping[str, Any], weights: Mapping[str, Tensor]
    ) -> Self:
        """The layer that a card's `parameters` describe.

        `weights` are those that will be loaded into the layer, by their names in it; empty for a
        layer that will be trained.
        """
        return cls(channels)

    @property
    def dims(self) -> int:
        """The length of the descriptor, here the number of channels."""
        return self.channels

    @property
    def in_words(self) -> str:
        """The layer's name and size, for a model's title."""
        return self.name

    @property
    def parameters_of_card(self) -> dict[str, Any]:
        """The parameters from which `build` makes a layer of this shape."""
        return {}


class SizedAggregation(AggregationLayer):
    """An aggregation with whole numbers as its parameters: the `sizes` of its layers, by name."""

    def __init__(self, channels: int, **sizes: int) -> None:
        super().__init__(channels)
        self.sizes = sizes

    @classmethod
    def build(
        cls, channels: int, parameters: Mapping[str, Any], weights: Mapping[str, Tensor]
    ) -> Self:
        """A layer of the card's sizes."""
        return cls(channels, **{name: int(value) for name, value in parameters.items()})

    @property
    def parameters_of_card(self) -> dict[str, Any]:
        """The sizes of the layers."""
        return self.sizes


class ByteLinear(nn.Module):
    """A linear layer whose matrix is kept in 8 bits, with a scale for each row.

    `weight` (out, in) int8, `scale` (out, 1), `bias` (out,). It takes a quarter of the bytes of
    float32; a fitted matrix of a thousand rows is only precise to about a hundredth anyway.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, dims_in: int, dims_out: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros((dims_out, dims_in), dtype=torch.int8))
        self.register_buffer("scale", torch.ones((dims_out, 1)))
        self.register_buffer("bias", torch.zeros(dims_out))

    @classmethod
    def of(cls, matrix: Tensor, bias: Tensor) -> Self:
        """The layer nearest to a matrix (out, in) and a bias (out,)."""
        layer = cls(matrix.shape[1], matrix.shape[0])
        layer.scale = matrix.abs().amax(dim=1, keepdim=True) / 127
        layer.weight = (matrix / layer.scale).round().to(torch.int8)
        layer.bias = bias
        return layer

    def forward(self, rows: Tensor) -> Tensor:
        """(N, in) to (N, out)."""
        return functional.linear(rows, self.weight.float() * self.scale, self.bias)


class Whitening(nn.Module):
    """Project descriptors to fewer, decorrelated dimensions and L2-normalise them."""

    projection: nn.Module

    def __init__(self, dims_in: int, dims_out: int, *, in_bytes: bool = False) -> None:
        super().__init__()
        self.dims = dims_out
        kind = ByteLinear if in_bytes else nn.Linear
        self.projection = kind(dims_in, dims_out)

    def forward(self, descriptors: Tensor) -> Tensor:
        """(N, dims_in) to (N, dims_out), each row of L2 norm 1."""
        return functional.normalize(self.projection(descriptors), dim=1)
