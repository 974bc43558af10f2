"""NetVLAD as other programs run it, in eager torch on the CPU: written here only for timing.

pytorch-NetVlad loops over the clusters; hloc computes all residuals at once, (K, C, cells) numbers.
Both take one normalised float32 photo at a time, in the default memory format.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from place_search.models.aggregations.netvlad import netvlad_of
from place_search.models.network import Network

Baseline = Callable[[NDArray[np.uint8]], Tensor]


def _photo(network: Network, pixels: NDArray[np.uint8]) -> Tensor:
    x = torch.from_numpy(pixels).permute(2, 0, 1).float().contiguous()[None]
    return (x - network.pixel_mean[:, None, None]) * network.pixel_scale[:, None, None]


def _finish(network: Network, residuals: Tensor) -> Tensor:
    pooled = functional.normalize(functional.normalize(residuals, dim=2).flatten(1), dim=1)
    if network.whitening is None:
        return pooled
    whitened: Tensor = network.whitening(pooled)
    return whitened


def loop_over_clusters(network: Network) -> Baseline:
    """As pytorch-NetVlad pools."""

    @torch.no_grad()
    def run(pixels: NDArray[np.uint8]) -> Tensor:
        x = functional.normalize(network.backbone(_photo(network, pixels)), dim=1)
        shares = netvlad_of(network).assignment(x).flatten(2).softmax(dim=1)
        rows = x.flatten(2)
        residual_sums = torch.zeros(1, *netvlad_of(network).centroids.shape)
        for cluster, centroid in enumerate(netvlad_of(network).centroids):
            residual = rows - centroid[None, :, None]
            residual_sums[:, cluster] = (residual * shares[:, cluster : cluster + 1]).sum(dim=-1)
        return _finish(network, residual_sums)

    return run


def all_residuals(network: Network) -> Baseline:
    """As hloc pools."""

    @torch.no_grad()
    def run(pixels: NDArray[np.uint8]) -> Tensor:
        x = functional.normalize(network.backbone(_photo(network, pixels)), dim=1)
        shares = netvlad_of(network).assignment(x).flatten(2).softmax(dim=1)
        residuals = x.flatten(2)[:, None] - netvlad_of(network).centroids[None, :, :, None]
        return _finish(network, (residuals * shares[:, :, None]).sum(dim=-1))

    return run
