"""The whole network in torch, from an upright RGB photo to descriptor and local features."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from place_search.core.files import sha256_of
from place_search.core.plugins import has_part, load_part, part_names
from place_search.models.card import WEIGHTS_NAME, LocalFeatures, ModelCard
from place_search.models.errors import ModelError
from place_search.models.layers import AggregationLayer, Backbone, Whitening

BACKBONES = "place_search.models.backbones"
AGGREGATIONS = "place_search.models.aggregations"


class Network(nn.Module):
    """Backbone, aggregation and optional whitening, with one input and one or two outputs.

    `pixel_mean` and `pixel_scale` (3,) normalise RGB values 0–255: (x − mean) · scale. Weights for
    BGR are reordered when they are read. With `cell_step` > 1 the local features are means of
    `cell_step` × `cell_step` features, which bounds the size of an index; the descriptor pools all
    features. Without `gives_local` the network gives only descriptors.
    """

    pixel_mean: Tensor
    pixel_scale: Tensor
    cell_mean: Tensor

    def __init__(
        self,
        backbone: Backbone,
        pool: AggregationLayer,
        whitening: Whitening | None = None,
        *,
        cell_step: int = 1,
        gives_local: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pool = pool
        self.whitening = whitening
        self.cell_step = cell_step
        self.gives_local = gives_local
        self.register_buffer("pixel_mean", torch.zeros(3))
        self.register_buffer("pixel_scale", torch.ones(3))
        self.register_buffer("cell_mean", torch.zeros(backbone.channels))

    @property
    def local_features(self) -> LocalFeatures | None:
        """The grid of local features that the network gives with the descriptor."""
        if not self.gives_local:
            return None
        return LocalFeatures(self.backbone.channels, self.backbone.stride * self.cell_step)

    @property
    def dims(self) -> int:
        """The length of the descriptor."""
        return self.pool.dims if self.whitening is None else self.whitening.dims

    @property
    def photo_size(self) -> tuple[int, int] | None:
        """The only (H, W) of photos that the network takes; None for any."""
        grid = self.pool.grid or self.backbone.grid
        return grid and (grid[0] * self.backbone.stride, grid[1] * self.backbone.stride)

    def normalised(self, photos: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 or float RGB 0–255 to the backbone's input, (N, 3, H, W)."""
        return ((photos.float() - self.pixel_mean) * self.pixel_scale).permute(0, 3, 1, 2)

    def extract(self, photos: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 or float RGB 0–255 to (N, C, h, w) L2-normalised local features."""
        return functional.normalize(self.backbone(self.normalised(photos)), dim=1)

    def forward(self, photos: Tensor) -> tuple[Tensor, ...]:
        """(N, H, W, 3) photos to (N, D) descriptors and (N, h, w, C) centred local features."""
        pixels = self.normalised(photos)
        token: list[Tensor] = []
        if self.pool.takes_token:
            features, *token = self.backbone.with_token(pixels)
        else:
            features = self.backbone(pixels)
        local = functional.normalize(features, dim=1)
        descriptors: Tensor = self.pool(local if self.pool.of_unit_features else features, *token)
        if self.whitening is not None:
            descriptors = self.whitening(descriptors)
        if not self.gives_local:
            return (descriptors,)
        if self.cell_step > 1:
            local = functional.avg_pool2d(local, self.cell_step)
        return descriptors, local.permute(0, 2, 3, 1) - self.cell_mean


def load_backbone(name: str) -> type[Backbone]:
    """The class of a backbone. Raises `ModelError` for an unknown name."""
    if not has_part(BACKBONES, name):
        choices = ", ".join(part_names(BACKBONES))
        raise ModelError(f"There is no backbone '{name}'; known are {choices}.")
    try:
        backbone: type[Backbone] = load_part(BACKBONES, name).BACKBONE
    except ModuleNotFoundError as error:
        raise ModelError(
            f"The backbone {name} needs {error.name}; run: pip install 'place-search[train]'."
        ) from None
    return backbone


def load_aggregation(name: str) -> type[AggregationLayer]:
    """The class of an aggregation. Raises `ModelError` for an unknown name."""
    if not has_part(AGGREGATIONS, name):
        choices = ", ".join(part_names(AGGREGATIONS))
        raise ModelError(f"There is no aggregation '{name}'; known are {choices}.")
    aggregation: type[AggregationLayer] = load_part(AGGREGATIONS, name).AGGREGATION
    return aggregation


def build_network(card: ModelCard, weights: Mapping[str, Tensor] | None = None) -> Network:
    """A network of the shape that a card describes; `weights` are those to be loaded, if any.

    Raises:
        ModelError: the card names a backbone or an aggregation that does not exist, or its
            parameters are not those of the aggregation.
    """
    backbone = load_backbone(card.backbone)()
    of_pool = {
        name.removeprefix("pool."): value
        for name, value in (weights or {}).items()
        if name.startswith("pool.")
    }
    layer, parameters = load_aggregation(card.aggregation.name), card.aggregation.parameters
    try:
        pool = layer.build(backbone.channels, parameters, of_pool)
        known = {*pool.parameters_of_card, *pool.optional_parameters}
        if unknown := sorted(parameters.keys() - known):
            raise ValueError(f"this version knows no parameter '{unknown[0]:.40}' of it")
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(
            f"The card of '{card.id}' describes no aggregation {card.aggregation.name} ({error}); "
            "fetch the model again, or update what brings that aggregation."
        ) from error
    in_bytes = "whitening.projection.scale" in (weights or {})
    whitening = Whitening(pool.dims, card.dims, in_bytes=in_bytes) if card.whitened else None
    local = card.local_features
    step = 1 if local is None else local.stride // backbone.stride
    return Network(backbone, pool, whitening, cell_step=step, gives_local=local is not None)


def load_network(folder: Path, card: ModelCard) -> Network:
    """The network of a model folder, in evaluation mode.

    Raises:
        ModelError: the weights are missing or altered, or do not fit the card.
    """
    card.require_weights()
    path = folder / WEIGHTS_NAME
    try:
        if sha256_of(path) != card.files[WEIGHTS_NAME]:
            raise ModelError(f"{path} is altered; fetch or import model '{card.id}' again.")
        state = load_file(path)
        network = build_network(card, state)
        network.load_state_dict(state)
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(f"{path} does not hold the weights of '{card.id}' ({error}).") from error
    return network.eval()


def save_network(network: Network, folder: Path) -> None:
    """Write a network's weights into a model folder."""
    path = folder / WEIGHTS_NAME
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    path.chmod(0o644)  # safetensors gives only the owner access
