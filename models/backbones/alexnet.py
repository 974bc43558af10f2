"""AlexNet to conv5, before its ReLU (Krizhevsky 2014, the one-column variant)."""

from collections.abc import Mapping

from torch import Tensor
from torchvision.models import alexnet

from place_search.models.layers import Backbone

CONVOLUTIONS = (0, 3, 6, 8, 10)
"""The convolutions among `layers`, numbered as in torchvision."""


class AlexNet(Backbone):
    """(N, 3, H, W) normalised photos to (N, 256, h, w) features.

    Its first layer and its poolings drop what does not fill a window, so that 480 × 640 pixels
    give 29 × 39 cells: one every 16 pixels, from pixel 31 on.
    """

    channels = 256
    stride = 16

    def __init__(self) -> None:
        super().__init__()
        self.layers = alexnet(weights=None).features[:-2]

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 256, h, w)."""
        y: Tensor = self.layers(x)
        return y

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Take weights that are named as torchvision names them: `features.0.weight`, …"""
        names = self.layers.state_dict()
        self.layers.load_state_dict({name: state[f"features.{name}"] for name in names})


BACKBONE = AlexNet
