"""Splits a network into a frozen and a trained part."""

import hashlib

import torch
from torch import Tensor, nn
from torch.nn import functional

from place_search.models.aggregations.netvlad import netvlad_of
from place_search.models.network import Network
from place_search.training.errors import TrainingError


class FrozenPart(nn.Module):
    """The frozen part: (N, H, W, 3) photos to the input features of the trained part."""

    pixel_mean: Tensor
    pixel_scale: Tensor

    def __init__(self, network: Network, units: list[nn.Module]) -> None:
        super().__init__()
        self.register_buffer("pixel_mean", network.pixel_mean, persistent=False)
        self.register_buffer("pixel_scale", network.pixel_scale, persistent=False)
        self.units = nn.Sequential(*units)

    def forward(self, photos: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 to (N, C, h, w) features, or a transformer's tokens (N, n, C)."""
        x = (photos.float() - self.pixel_mean) * self.pixel_scale
        y: Tensor = self.units(x.permute(0, 3, 1, 2))
        return y


class TrainedPart(nn.Module):
    """The trained part: the last units of the backbone, and the NetVLAD layer."""

    def __init__(self, network: Network, units: list[nn.Module]) -> None:
        super().__init__()
        self.units = nn.Sequential(*units)
        self.pool = netvlad_of(network)

    def forward(self, features: Tensor) -> Tensor:
        """Features, (N, C, h, w) or a transformer's tokens (N, n, C), to (N, D) descriptors."""
        if features.ndim == 4:
            features = features.contiguous(memory_format=torch.channels_last)
        # Sums over hundreds of local features need more than half precision.
        local = functional.normalize(self.units(features), dim=1).float()
        with torch.autocast(local.device.type, enabled=False):
            y: Tensor = self.pool(local)
        return y


def split_network(network: Network, train_last: int) -> tuple[FrozenPart, TrainedPart]:
    """Split a network before its backbone's last `train_last` units with weights; -1 for all.

    The parts share the network's weights. Norms keep their statistics, as batches are small.

    Raises:
        TrainingError: the backbone has fewer units, or the layer has no vocabulary.
    """
    if not netvlad_of(network).centroids.any() or not netvlad_of(network).assignment.weight.any():
        raise TrainingError(
            "The model's NetVLAD layer is empty: fit its vocabulary with `place-search cluster` "
            "first."
        )
    units = network.backbone.units()
    weighted = [number for number, unit in enumerate(units) if any(True for _ in unit.parameters())]
    if train_last > len(weighted):
        raise TrainingError(
            f"The backbone has {len(weighted)} units with weights, so the last {train_last} cannot "
            "be trained; give --train-last a smaller number, or -1 for all."
        )
    first_trained = (
        0 if train_last < 0 else len(units) if train_last == 0 else weighted[-train_last]
    )
    network.eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    # Convolutions on CPUs are nearly twice as fast in this layout.
    network.backbone.to(memory_format=torch.channels_last)
    frozen, trained = (
        FrozenPart(network, units[:first_trained]),
        TrainedPart(network, units[first_trained:]),
    )
    for parameter in trained.parameters():
        parameter.requires_grad_(True)
    return frozen, trained


def weights_stamp(module: nn.Module) -> str:
    """A hash of weights, which identifies values computed with them."""
    digest = hashlib.sha256()
    for tensor in (*module.parameters(), *module.buffers()):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]
