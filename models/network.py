"""The whole network in torch: upright RGB photo in, descriptor and centred cells out."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from place_search.models.aggregations.layers import NetVLAD, Whitening
from place_search.models.backbones import BACKBONES, Backbone
from place_search.models.card import ModelCard
from place_search.models.errors import ModelError

WEIGHTS_NAME = "weights.safetensors"


class Network(nn.Module):
    """Backbone, NetVLAD and optional whitening behind one input and two outputs.

    `pixel_mean` and `pixel_scale` (3,) normalise RGB values 0–255: (x − mean) · scale. Weights
    that were trained on BGR are turned when they are read. `cell_step` > 1 gives the mean of so
    many cells squared in place of each, which bounds what an index stores; the descriptor is
    always made of all cells.
    """

    pixel_mean: Tensor
    pixel_scale: Tensor
    cell_mean: Tensor

    def __init__(
        self,
        backbone: Backbone,
        pool: NetVLAD,
        whitening: Whitening | None = None,
        *,
        cell_step: int = 1,
    ) -> None:
        super().__init__()
        channels = pool.centroids.shape[1]
        self.backbone = backbone
        self.pool = pool
        self.whitening = whitening
        self.cell_step = cell_step
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
        if self.cell_step > 1:
            cells = functional.avg_pool2d(cells, self.cell_step)
        return descriptors, cells.permute(0, 2, 3, 1) - self.cell_mean


def build_network(card: ModelCard, *, bias: bool = False) -> Network:
    """An untrained network of the shape that a card describes; `bias` makes it NetVLAD v2.

    Raises:
        ModelError: the card names a backbone that does not exist.
    """
    if card.backbone not in BACKBONES:
        raise ModelError(
            f"Model '{card.id}' has the backbone '{card.backbone}'; "
            f"known are {', '.join(BACKBONES)}."
        )
    backbone = BACKBONES[card.backbone]()
    pool = NetVLAD(card.clusters, card.channels, bias=bias)
    whitening = Whitening(pool.dims, card.dims) if card.whitened else None
    return Network(backbone, pool, whitening, cell_step=card.stride // backbone.stride)


def load_network(folder: Path, card: ModelCard) -> Network:
    """The network of a model folder, in evaluation mode.

    Raises:
        ModelError: the weights are missing or do not fit the card.
    """
    path = folder / WEIGHTS_NAME
    try:
        state = load_file(path)
        network = build_network(card, bias="pool.assignment.bias" in state)
        network.load_state_dict(state)
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise ModelError(f"{path} does not hold the weights of '{card.id}' ({error}).") from error
    return network.eval()


def save_network(network: Network, folder: Path) -> None:
    """Write a network's weights into a model folder."""
    path = folder / WEIGHTS_NAME
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    path.chmod(0o644)  # safetensors writes for its owner alone
