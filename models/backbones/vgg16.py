"""VGG-16 to conv5_3, before its ReLU (Simonyan & Zisserman, ICLR 2015, configuration D)."""

from torchvision.models import vgg

from place_search.models.layers import Backbone

CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""The convolutions among `layers`, numbered as in torchvision."""


class VGG16(Backbone):
    """(N, 3, H, W) normalised photos to (N, 512, ⌊H/16⌋, ⌊W/16⌋) features."""

    channels = 512
    stride = 16

    def __init__(self) -> None:
        super().__init__()
        self.layers = vgg.make_layers(vgg.cfgs["D"], batch_norm=False)[:29]


BACKBONE = VGG16
