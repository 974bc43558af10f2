"""Sum pooling, SPoC without its centre prior (Babenko & Lempitsky, ICCV 2015, eq. 2)."""

from torch import Tensor
from torch.nn import functional

from place_search.models.layers import AggregationLayer


class SPoC(AggregationLayer):
    """The sum of all local features, L2-normalised."""

    name = "spoc"

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) L2-normalised local features to (N, C) descriptors."""
        return functional.normalize(features.sum(dim=(2, 3)), dim=1)


AGGREGATION = SPoC
