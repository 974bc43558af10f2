"""The NetVLAD layer (Arandjelović et al., CVPR 2016), as a torch module."""

import math
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from place_search.models.errors import ModelError
from place_search.models.layers import AggregationLayer
from place_search.models.network import Network


class NetVLAD(AggregationLayer):
    """Pool a grid of local features into one descriptor (Arandjelović et al., CVPR 2016, eq. 4).

    Each feature is L2-normalised and softly assigned to `clusters` centroids; the residuals of each
    cluster are summed, L2-normalised (intra-normalisation), flattened cluster by cluster and
    L2-normalised again. Only NetVLAD v2 has a `bias`.
    """

    name = "netvlad"
    optional_parameters = ("bias",)

    def __init__(self, clusters: int, channels: int, *, bias: bool = False) -> None:
        super().__init__(channels)
        self.assignment = nn.Conv2d(channels, clusters, kernel_size=1, bias=bias)
        self.centroids = nn.Parameter(torch.zeros(clusters, channels))

    @classmethod
    def build(
        cls, channels: int, parameters: Mapping[str, Any], weights: Mapping[str, Tensor]
    ) -> Self:
        """A layer of the card's `clusters`; a bias, in parameters or weights, makes it v2."""
        bias = "assignment.bias" in weights or bool(parameters.get("bias", False))
        return cls(int(parameters["clusters"]), channels, bias=bias)

    @property
    def parameters_of_card(self) -> dict[str, Any]:
        """The number of clusters."""
        return {"clusters": len(self.centroids)}

    @property
    def in_words(self) -> str:
        """Version and size: with a bias it is v2."""
        version = "v1" if self.assignment.bias is None else "v2"
        return f"NetVLAD {version}, {len(self.centroids)} clusters"

    @property
    def dims(self) -> int:
        """The length of the descriptor, clusters × channels."""
        return self.centroids.numel()

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) L2-normalised local features to (N, K·C) descriptors."""
        shares = self.assignment(features).flatten(2).softmax(dim=1)  # (N, K, h·w)
        rows = features.flatten(2).transpose(1, 2)  # (N, h·w, C)
        # Σ a (x − c) as one matrix product: A X − diag(Σ a) C.
        residuals = shares @ rows - shares.sum(dim=2, keepdim=True) * self.centroids
        residuals = functional.normalize(residuals, dim=2)
        return functional.normalize(residuals.flatten(1), dim=1)

    def initialise(self, centroids: Tensor, separation: float) -> None:
        """Set the parameters from a vocabulary, (K, C) centroids.

        The assignment is scaled so that a typical local feature gives its nearest cluster 100 times
        its second nearest's share: alpha = −ln 0.01 / separation. `separation` is a mean over local
        features. In v1 it is that of the dot product with the nearest centroid direction minus that
        with the second nearest. In v2 it is that of the squared distance to the second nearest
        centroid minus that to the nearest, and the scores are −alpha ‖x − c‖² (eq. 2 and 3), where
        ‖x‖² is the same for all clusters and drops out.
        """
        alpha = -math.log(0.01) / separation
        with torch.no_grad():
            if self.assignment.bias is None:
                weight = alpha * functional.normalize(centroids, dim=1)
            else:
                weight = 2 * alpha * centroids
                self.assignment.bias.copy_(-alpha * centroids.square().sum(dim=1))
            self.assignment.weight.copy_(weight[:, :, None, None])
            self.centroids.copy_(centroids)


def netvlad_of(network: Network) -> NetVLAD:
    """The NetVLAD layer of a network. Raises `ModelError` for another aggregation."""
    if not isinstance(network.pool, NetVLAD):
        raise ModelError(
            f"The model pools with {network.pool.name}, and this needs NetVLAD; "
            "choose another model."
        )
    return network.pool


AGGREGATION = NetVLAD
