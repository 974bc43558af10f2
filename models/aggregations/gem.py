"""Generalised-mean pooling (Radenović, Tolias & Chum, TPAMI 2018, eq. 3)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from place_search.models.layers import AggregationLayer

EPSILON = 1e-6


class GeM(AggregationLayer):
    """The p-th root of the mean of each channel's p-th powers; p is trained, and begins at 3.

    p = 1 is average pooling; a large p comes near the maximum.
    """

    name = "gem"

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.power = nn.Parameter(torch.full((1,), 3.0))

    def means(self, features: Tensor) -> Tensor:
        """(N, C, h, w) local features to the generalised mean (N, C) of each channel."""
        powers = features.clamp(min=EPSILON) ** self.power
        return powers.mean(dim=(2, 3)) ** (1 / self.power)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) L2-normalised local features to (N, C) descriptors."""
        return functional.normalize(self.means(features), dim=1)


AGGREGATION = GeM
