"""MixVPR: features mixed across their positions in the photo (Ali-bey et al., WACV 2023)."""

import math
from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor, nn
from torch.nn import functional

from place_search.models.layers import SizedAggregation


class Mixer(nn.Module):
    """A perceptron over the cells of each channel, with a skip (section 3.1, eq. 2)."""

    def __init__(self, cells: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(cells)
        self.widen = nn.Linear(cells, hidden)
        self.narrow = nn.Linear(hidden, cells)

    def forward(self, channels: Tensor) -> Tensor:
        """(N, C, h·w) to the same."""
        hidden = functional.relu(self.widen(self.norm(channels)))
        mixed: Tensor = channels + self.narrow(hidden)
        return mixed


class MixVPR(SizedAggregation):
    """A sequence of mixers, then projections to fewer channels and rows (eq. 4 and 5).

    Its weights depend on positions in the grid, so that it takes only one `grid`.
    """

    name = "mixvpr"
    of_unit_features = False

    def __init__(
        self,
        channels: int,
        grid: tuple[int, int],
        *,
        mixers: int,
        hidden: int,
        channels_out: int,
        rows_out: int,
    ) -> None:
        super().__init__(
            channels, mixers=mixers, hidden=hidden, channels_out=channels_out, rows_out=rows_out
        )
        self.grid = grid
        cells = math.prod(grid)
        self.mixers = nn.Sequential(*(Mixer(cells, hidden) for _ in range(mixers)))
        self.fewer_channels = nn.Linear(channels, channels_out)
        self.fewer_rows = nn.Linear(cells, rows_out)

    @classmethod
    def build(
        cls, channels: int, parameters: Mapping[str, Any], weights: Mapping[str, Tensor]
    ) -> Self:
        """A layer of the card's sizes."""
        rows, columns = parameters["grid"]
        sizes = {name: int(value) for name, value in parameters.items() if name != "grid"}
        return cls(channels, (rows, columns), **sizes)

    @property
    def dims(self) -> int:
        """The length of the descriptor, channels × rows."""
        return self.fewer_channels.out_features * self.fewer_rows.out_features

    @property
    def in_words(self) -> str:
        """The name, and the length of the descriptor."""
        return f"MixVPR, {self.dims} dimensions"

    @property
    def parameters_of_card(self) -> dict[str, Any]:
        """The sizes of the grid and of the layers."""
        return {"grid": list(self.grid or ()), **self.sizes}

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) local features to (N, channels_out · rows_out) descriptors."""
        mixed = self.mixers(features.flatten(2))
        narrow = self.fewer_channels(mixed.transpose(1, 2))  # (N, h·w, channels_out)
        short = self.fewer_rows(narrow.transpose(1, 2))
        return functional.normalize(short.flatten(1), dim=1)


AGGREGATION = MixVPR
