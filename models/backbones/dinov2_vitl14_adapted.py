"""DINOv2's ViT-L/14 with SelaVPR's adapters (Lu et al., ICLR 2024), at 224 × 224."""

from typing import Any

from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

from place_search.models.backbones.dinov2_vits14 import DINOv2

PARALLEL_SHARE = 0.2
"""The weight of the adapter beside the perceptron (eq. 4)."""


class Adapter(nn.Module):
    """A perceptron that is narrower in the middle."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(channels, channels // 2)
        self.widen = nn.Linear(channels // 2, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, n, C) to the same."""
        changed: Tensor = self.widen(functional.relu(self.narrow(tokens)))
        return changed


class AdaptedBlock(Block):
    """A block with one adapter behind its attention, and one beside its perceptron."""

    def __init__(self, dim: int, num_heads: int, **options: Any) -> None:
        super().__init__(dim, num_heads, **options)
        self.adapter1 = Adapter(dim)
        self.adapter2 = Adapter(dim)

    def forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        """(N, n, C) to the same."""
        attended = self.attn(self.norm1(x))
        x = x + self.ls1(attended + self.adapter1(attended))
        normed = self.norm2(x)
        adapted: Tensor = x + self.ls2(self.mlp(normed) + PARALLEL_SHARE * self.adapter2(normed))
        return adapted


class DINOv2LargeAdapted(DINOv2):
    """Of 1024 channels, 24 blocks and 16 heads, for 16 × 16 patches."""

    def __init__(self) -> None:
        super().__init__(1024, 24, 16, side=16, block=AdaptedBlock)


BACKBONE = DINOv2LargeAdapted
