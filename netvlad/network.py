"""The whole network in torch: upright RGB photo in, descriptor and centred cells out."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from netvlad.backbone import Backbone
from netvlad.card import ModelCard
from netvlad.efficientnet_lite import EfficientNetLite0
from netvlad.errors import ModelError
from netvlad.layers import NetVLAD, Whitening

BACKBONES: Mapping[str, type[Backbone]] = {"efficientnet-lite0": EfficientNetLite0}
"""Backbones by the name that cards use; each class knows its `channels` and `stride`."""


class Network(nn.Module):
    """Backbone, NetVLAD and optional whitening behind one input and two outputs.

    `pixel_mean` and `pixel_scale` (3,) normalise RGB values 0–255: (x − mean) · scale.
    """

    pixel_mean: Tensor
    pixel_scale: Tensor
    cell_mean: Tensor

    def __init__(
        self,
        backbone: Backbone,
        pool: NetVLAD,
        whitening: Whitening | None = None,
    ) -> None:
        super().__init__()
        channels = pool.centroids.shape[1]
        self.backbone = backbone
        self.pool = pool
        self.whitening = whitening
        self.register_buffer("pixel_mean", torch.zeros(3))
        self.register_buffer("pixel_scale", torch.ones(3))
        self.register_buffer("cell_mean", torch.zeros(channels))

    def cells(self, photos: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 or float RGB 0–255 to (N, C, h, w) L2-normalised cells."""
        x = (photos.float() - self.pixel_mean) * self.pixel_scale
        return functional.normalize(self.backbone(x.permute(0, 3, 1, 2)), dim=1)

    def forward(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """(N, H, W, 3) photos to (N, D) descriptors and (N, h, w, C) centred cells."""
        cells = self.cells(photos)
        descriptors: Tensor = self.pool(cells)
        if self.whitening is not None:
            descriptors = self.whitening(descriptors)
        return descriptors, cells.permute(0, 2, 3, 1) - self.cell_mean


WEIGHTS_NAME = "weights.safetensors"


def build_network(card: ModelCard) -> Network:
    """An untrained network of the shape that a card describes.

    Raises:
        ModelError: the card names a backbone that does not exist.
    """
    if card.backbone not in BACKBONES:
        raise ModelError(
            f"Model '{card.id}' has the backbone '{card.backbone}'; "
            f"known are {', '.join(BACKBONES)}."
        )
    pool = NetVLAD(card.clusters, card.channels)
    whitening = Whitening(pool.dims, card.dims) if card.whitened else None
    return Network(BACKBONES[card.backbone](), pool, whitening)


def load_network(folder: Path, card: ModelCard) -> Network:
    """The network of a model folder, in evaluation mode.

    Raises:
        ModelError: the weights are missing or do not fit the card.
    """
    network = build_network(card)
    path = folder / WEIGHTS_NAME
    try:
        network.load_state_dict(load_file(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path} does not hold the weights of '{card.id}' ({error}).") from error
    return network.eval()


def save_network(network: Network, folder: Path) -> None:
    """Write a network's weights into a model folder."""
    path = folder / WEIGHTS_NAME
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    path.chmod(0o644)  # safetensors writes for its owner alone
