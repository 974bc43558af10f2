"""Networks that people would use today in place of place-search's, in eager torch on the CPU.

They are only timed: random weights take as long as trained ones. Each takes one photo at a time, at
the size of its own program.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet50, vit_b_32

from bench.baselines import Baseline

DIMS = 2048
"""The dimensions of EigenPlaces's descriptor with a ResNet-50."""


class _EigenPlaces(nn.Module):
    """ResNet-50, generalised mean, a linear layer (Berton et al., ICCV 2023)."""

    def __init__(self) -> None:
        super().__init__()
        layers = list(resnet50(weights=None).children())[:-2]
        self.backbone = nn.Sequential(*layers)
        self.linear = nn.Linear(2048, DIMS)

    def forward(self, photos: Tensor) -> Tensor:
        features = functional.normalize(self.backbone(photos), dim=1)
        pooled = features.clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3)
        return functional.normalize(self.linear(pooled), dim=1)


def peers() -> dict[str, Baseline]:
    """Networks of place recognition and of image search, as their programs run them, by name."""
    return {
        "EigenPlaces, ResNet-50, 512 × 512": _sized(_EigenPlaces(), 512),
        "CLIP ViT-B/32 as clip-retrieval, 224 × 224": _sized(vit_b_32(weights=None), 224),
    }


def _sized(network: nn.Module, side: int) -> Baseline:
    network.eval()

    @torch.no_grad()
    def run(pixels: NDArray[np.uint8]) -> Tensor:
        photo = torch.from_numpy(pixels).permute(2, 0, 1).float()[None] / 255
        output: Tensor = network(functional.interpolate(photo, (side, side), mode="bilinear"))
        return output

    return run
