"""The NetVLAD layer and the whitening layer, as torch modules."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class NetVLAD(nn.Module):
    """Pool a grid of cells into one descriptor (Arandjelović et al., CVPR 2016, eq. 4).

    Each cell is L2-normalised and softly assigned to `clusters` centroids; the residuals of each
    cluster are summed, L2-normalised (intra-normalisation), flattened cluster by cluster and
    L2-normalised again. `bias` is there in NetVLAD v2 only.
    """

    def __init__(self, clusters: int, channels: int, *, bias: bool = False) -> None:
        super().__init__()
        self.assignment = nn.Conv2d(channels, clusters, kernel_size=1, bias=bias)
        self.centroids = nn.Parameter(torch.zeros(clusters, channels))

    @property
    def dims(self) -> int:
        """The length of the descriptor, clusters × channels."""
        return self.centroids.numel()

    def forward(self, cells: Tensor) -> Tensor:
        """(N, C, h, w) L2-normalised cells to (N, K·C) descriptors."""
        shares = self.assignment(cells).flatten(2).softmax(dim=1)  # (N, K, h·w)
        rows = cells.flatten(2).transpose(1, 2)  # (N, h·w, C)
        # Σ a (x − c) as one matrix product: A X − diag(Σ a) C.
        residuals = shares @ rows - shares.sum(dim=2, keepdim=True) * self.centroids
        residuals = functional.normalize(residuals, dim=2)
        return functional.normalize(residuals.flatten(1), dim=1)

    def initialise(self, centroids: Tensor, separation: float) -> None:
        """Set the parameters from a vocabulary, (K, C) centroids.

        The assignment is scaled so that a typical cell gives its nearest cluster 100 times its
        second nearest's share: alpha = −ln 0.01 / separation. `separation` is a mean over training
        cells. In v1 it is that of the dot product with the nearest centroid direction minus that
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


class Whitening(nn.Module):
    """Project descriptors to fewer, decorrelated dimensions and L2-normalise them."""

    def __init__(self, dims_in: int, dims_out: int) -> None:
        super().__init__()
        self.projection = nn.Linear(dims_in, dims_out)

    def forward(self, descriptors: Tensor) -> Tensor:
        """(N, dims_in) to (N, dims_out), each row of L2 norm 1."""
        return functional.normalize(self.projection(descriptors), dim=1)
