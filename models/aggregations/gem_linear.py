"""GeM and a linear layer (Berton, Masone & Caputo, CVPR 2022, section 4.2)."""

from torch import Tensor, nn
from torch.nn import functional

from place_search.models.aggregations.gem import GeM
from place_search.models.layers import SizedAggregation


class GeMLinear(SizedAggregation):
    """Generalised means of the channels, projected to `dims` numbers and L2-normalised."""

    name = "gem-linear"

    def __init__(self, channels: int, dims: int) -> None:
        super().__init__(channels, dims=dims)
        self.means = GeM(channels)
        self.projection = nn.Linear(channels, dims)

    @property
    def dims(self) -> int:
        """The length of the descriptor."""
        return self.projection.out_features

    @property
    def in_words(self) -> str:
        """The layers, and the length of the descriptor."""
        return f"GeM and a linear layer, {self.dims} dimensions"

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) L2-normalised local features to (N, dims) descriptors."""
        return functional.normalize(self.projection(self.means.means(features)), dim=1)


AGGREGATION = GeMLinear
