"""Conv-AP: fewer channels, averaged region by region (Ali-bey et al., Neurocomputing 513, 2022)."""

import math
from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor, nn
from torch.nn import functional

from place_search.models.layers import AggregationLayer


class ConvAP(AggregationLayer):
    """A 1 × 1 convolution to fewer channels, and the mean of each region of the photo.

    The mean is computed first, which gives the same result with less to convolve. Regions have a
    fixed size in the exported graph, so that the layer takes only one `grid`.
    """

    name = "conv-ap"
    of_unit_features = False

    def __init__(
        self,
        channels: int,
        grid: tuple[int, int],
        *,
        channels_out: int,
        regions: tuple[int, int],
    ) -> None:
        super().__init__(channels)
        self.grid = grid
        self.regions = regions
        self.fewer_channels = nn.Conv2d(channels, channels_out, kernel_size=1)

    @classmethod
    def build(
        cls, channels: int, parameters: Mapping[str, Any], weights: Mapping[str, Tensor]
    ) -> Self:
        """A layer of the card's sizes."""
        rows, columns = parameters["grid"]
        down, across = parameters["regions"]
        return cls(
            channels,
            (rows, columns),
            channels_out=int(parameters["channels_out"]),
            regions=(down, across),
        )

    @property
    def dims(self) -> int:
        """The length of the descriptor, channels × regions."""
        return self.fewer_channels.out_channels * math.prod(self.regions)

    @property
    def in_words(self) -> str:
        """The name, the regions, and the length of the descriptor."""
        rows, columns = self.regions
        return f"Conv-AP, {rows} × {columns} regions, {self.dims} dimensions"

    @property
    def parameters_of_card(self) -> dict[str, Any]:
        """The sizes of its layer, (rows, columns) of regions and of local features."""
        return {
            "grid": list(self.grid or ()),
            "channels_out": self.fewer_channels.out_channels,
            "regions": list(self.regions),
        }

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) local features to (N, channels_out · rows · columns) descriptors."""
        means = functional.adaptive_avg_pool2d(features, self.regions)
        return functional.normalize(self.fewer_channels(means).flatten(1), dim=1)


AGGREGATION = ConvAP
