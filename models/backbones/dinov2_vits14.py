"""DINOv2's vision transformers (Oquab et al., TMLR 2024), without registers, at 322 × 322."""

from collections.abc import Mapping
from typing import Any

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

from place_search.models.layers import Backbone

PATCH = 14
SIDE = 23
"""Patches a side for which all families that build on DINOv2 publish their recall."""
_OFFSET = 0.1
"""The number that is added to a side before positions are resampled, as in published models."""


class _Norm(nn.LayerNorm):
    def __init__(self, channels: int, **options: Any) -> None:
        super().__init__(channels, eps=1e-6, **options)


class Tokens(nn.Module):
    """(N, 3, H, W) photos to the class token and one token a patch, (N, 1 + h·w, C)."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, channels, kernel_size=PATCH, stride=PATCH)
        self.token = nn.Parameter(torch.zeros(1, 1, channels))
        self.positions = nn.Parameter(torch.zeros(1, 1 + side * side, channels))

    def forward(self, photos: Tensor) -> Tensor:
        """As the class says."""
        patches = self.patches(photos).flatten(2).transpose(1, 2)
        token = self.token.expand(photos.shape[0], -1, -1)  # len() would be fixed in a graph
        return torch.cat((token, patches), dim=1) + self.positions


class Grid(nn.Module):
    """(N, 1 + h·w, C) tokens to the features of the patches, (N, C, h, w)."""

    def __init__(self, channels: int, side: int, *, norm: bool) -> None:
        super().__init__()
        self.side = side
        self.norm = _Norm(channels) if norm else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """As the class says."""
        return self.with_token(tokens)[0]

    def with_token(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The features, and the class token (N, C)."""
        tokens = self.norm(tokens)
        patches = tokens[:, 1:].transpose(1, 2)
        return patches.reshape(*patches.shape[:2], self.side, self.side), tokens[:, 0]


class DINOv2(Backbone):
    """(N, 3, 322, 322) normalised photos to (N, C, 23, 23) features: the last tokens.

    `side` is the number of patches a side of the photo; `block` is the class of the blocks. Without
    `norm` the tokens are the last block's output.
    """

    stride = PATCH
    multiple = PATCH

    def __init__(
        self,
        channels: int,
        depth: int,
        heads: int,
        *,
        side: int = SIDE,
        norm: bool = True,
        block: type[Block] = Block,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.side = side
        self.grid = (side, side)
        blocks = [
            block(channels, heads, qkv_bias=True, init_values=1.0, norm_layer=_Norm)
            for _ in range(depth)
        ]
        grid = Grid(channels, side, norm=norm)
        self.layers = nn.Sequential(Tokens(channels, side), *blocks, grid)

    def with_token(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """The features, and the class token (N, C)."""
        last: Any = self.layers[-1]
        features_and_token: tuple[Tensor, Tensor] = last.with_token(self.layers[:-1](photos))
        return features_and_token

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Load weights under DINOv2's names, with positions resampled to the grid."""
        weights = {name: state[published] for name, published in published_names(self).items()}
        weights["0.positions"] = resample(weights["0.positions"], self.side)
        self.layers.load_state_dict(weights)


_FIRST = {
    "patches.weight": "patch_embed.proj.weight",
    "patches.bias": "patch_embed.proj.bias",
    "token": "cls_token",
    "positions": "pos_embed",
}


def published_names(backbone: Backbone) -> dict[str, str]:
    """DINOv2's published name of each weight of `layers`."""
    names = {}
    for name in backbone.layers.state_dict():
        number, _, rest = name.partition(".")
        if number == "0":
            names[name] = _FIRST[rest]
        elif int(number) == len(backbone.layers) - 1:
            names[name] = rest
        else:
            names[name] = f"blocks.{int(number) - 1}.{rest}"
            for adapter in ("narrow", "D_fc1"), ("widen", "D_fc2"):
                names[name] = names[name].replace(*adapter)
    return names


def resample(positions: Tensor, side: int = SIDE) -> Tensor:
    """Resample learnt positions (1, 1 + s·s, C) of a square grid to `side` · `side`."""
    learnt_side = round((positions.shape[1] - 1) ** 0.5)
    if learnt_side == side:
        return positions
    grid = positions[:, 1:].transpose(1, 2).reshape(1, -1, learnt_side, learnt_side)
    scale = (side + _OFFSET) / learnt_side
    patches = functional.interpolate(grid, scale_factor=(scale, scale), mode="bicubic")
    return torch.cat((positions[:, :1], patches.flatten(2).transpose(1, 2)), dim=1)


class DINOv2Small(DINOv2):
    """Of 384 channels, 12 blocks and 6 heads."""

    def __init__(self) -> None:
        super().__init__(384, 12, 6)


BACKBONE = DINOv2Small
