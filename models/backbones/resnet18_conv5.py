"""ResNet-18 to its end, conv5, where local features are 32 pixels apart."""

from torchvision.models import resnet18

from place_search.models.backbones.resnet18 import ResNet


class ResNet18Conv5(ResNet):
    """(N, 3, H, W) normalised photos to (N, 512, ⌈H/32⌉, ⌈W/32⌉) features."""

    channels = 512

    def __init__(self) -> None:
        super().__init__(resnet18(weights=None), to_conv5=True)


BACKBONE = ResNet18Conv5
