"""Sum pooling, SPoC without its centre prior (Babenko & Lempitsky, ICCV 2015, eq. 2)."""

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor
from torch.nn import functional

from place_search.models.layers import AggregationLayer


class SPoC(AggregationLayer):
    """The sum of all local features, L2-normalised."""

    name = "spoc"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    @classmethod
    def build(
        cls, channels: int, parameters: Mapping[str, Any], weights: Mapping[str, Tensor]
    ) -> Self:
        """SPoC has neither parameters nor weights."""
        return cls(channels)

    @property
    def dims(self) -> int:
        """One number a channel."""
        return self.channels

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) L2-normalised local features to (N, C) descriptors."""
        return functional.normalize(features.sum(dim=(2, 3)), dim=1)


AGGREGATION = SPoC
