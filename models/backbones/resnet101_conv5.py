"""ResNet-101 to its end, conv5, where local features are 32 pixels apart."""

from torchvision.models import resnet101

from place_search.models.backbones.resnet18 import ResNet


class ResNet101Conv5(ResNet):
    """(N, 3, H, W) normalised photos to (N, 2048, ⌈H/32⌉, ⌈W/32⌉) features."""

    channels = 2048

    def __init__(self) -> None:
        super().__init__(resnet101(weights=None), to_conv5=True)


BACKBONE = ResNet101Conv5
