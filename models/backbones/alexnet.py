"""AlexNet to conv5, before its ReLU (Krizhevsky 2014, the one-column variant)."""

from torchvision.models import alexnet

from place_search.models.layers import Backbone


class AlexNet(Backbone):
    """(N, 3, H, W) normalised photos to (N, 256, h, w) features.

    Its first layer and its poolings drop pixels that do not fill a window, so that 480 × 640 pixels
    give 29 × 39 features: one every 16 pixels, from pixel 31 on.
    """

    channels = 256
    stride = 16

    def __init__(self) -> None:
        super().__init__()
        self.layers = alexnet(weights=None).features[:-2]


BACKBONE = AlexNet
