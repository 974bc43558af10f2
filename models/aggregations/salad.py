"""Optimal transport of local features to clusters (Izquierdo & Civera, CVPR 2024)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from place_search.models.layers import SizedAggregation

ROUNDS = 3
"""The number of Sinkhorn iterations, as in the paper."""


class SALAD(SizedAggregation):
    """Distributes features over clusters and a dustbin by Sinkhorn's algorithm (Cuturi 2013).

    A cluster's part of the descriptor is the sum of its shares of the features, which a perceptron
    has shortened. The descriptor begins with a global token, shortened as well.
    """

    name = "salad"
    of_unit_features = False
    takes_token = True

    def __init__(
        self, channels: int, *, clusters: int, hidden: int, cluster_dims: int, token_dims: int
    ) -> None:
        super().__init__(
            channels,
            clusters=clusters,
            hidden=hidden,
            cluster_dims=cluster_dims,
            token_dims=token_dims,
        )
        self.scores = _perceptron(_cell_layer, channels, hidden, clusters)
        self.shorten = _perceptron(_cell_layer, channels, hidden, cluster_dims)
        self.token = _perceptron(nn.Linear, channels, hidden, token_dims)
        self.dustbin = nn.Parameter(torch.ones(()))

    @property
    def dims(self) -> int:
        """The length of the descriptor: the token's, and clusters × their dimensions."""
        sizes = self.sizes
        return sizes["token_dims"] + sizes["clusters"] * sizes["cluster_dims"]

    @property
    def in_words(self) -> str:
        """The name, and the number of clusters."""
        return f"SALAD, {self.sizes['clusters']} clusters"

    def forward(self, features: Tensor, token: Tensor) -> Tensor:
        """(N, C, h, w) features and (N, C) tokens to (N, D) descriptors."""
        shares = transport(self.scores(features).flatten(2).transpose(1, 2), self.dustbin)
        sums = functional.normalize(self.shorten(features).flatten(2) @ shares, dim=1)
        # Flattened dimension by dimension, as published descriptors are.
        token_part = functional.normalize(self.token(token), dim=1)
        return functional.normalize(torch.cat((token_part, sums.flatten(1)), dim=1), dim=1)


def transport(scores: Tensor, dustbin: Tensor) -> Tensor:
    """(N, n, m) scores of features for clusters to the shares (N, n, m) of an entropic transport.

    Each feature gives 1. Each cluster takes 1, and the dustbin the remainder, n − m.
    """
    photos, features, clusters = scores.shape
    bin_scores = dustbin.expand(photos, features, 1)
    logs = torch.cat((scores, bin_scores), dim=2)
    takes = logs.new_zeros(clusters + 1)
    takes[-1] = math.log(features - clusters)
    for _ in range(ROUNDS):
        logs = logs + takes - torch.logsumexp(logs, dim=1, keepdim=True)
        logs = torch.log_softmax(logs, dim=2)
    return logs.exp()[:, :, :clusters]


def _perceptron(
    layer: Callable[[int, int], nn.Module], inputs: int, hidden: int, outputs: int
) -> nn.Sequential:
    return nn.Sequential(layer(inputs, hidden), nn.ReLU(), layer(hidden, outputs))


def _cell_layer(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, kernel_size=1)


AGGREGATION = SALAD
