"""ResNet-50 to the end of its third stage, where local features are 16 pixels apart."""

from torchvision.models import resnet50

from place_search.models.backbones.resnet18 import ResNet


class ResNet50(ResNet):
    """(N, 3, H, W) normalised photos to (N, 1024, ⌈H/16⌉, ⌈W/16⌉) features."""

    channels = 1024

    def __init__(self) -> None:
        super().__init__(resnet50(weights=None))


BACKBONE = ResNet50
