"""ResNet to the end of its third stage, conv4 (He et al., CVPR 2016), or of its last, conv5."""

from collections.abc import Mapping

from torch import Tensor, nn
from torchvision.models import resnet18

from place_search.models.layers import Backbone

PARTS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3")
"""torchvision's names of `layers`, in their order; conv5 adds `LAST`."""
LAST = "layer4"


class ResNet(Backbone):
    """The base of all ResNets: the stages, and torchvision's names for them."""

    def __init__(self, resnet: nn.Module, *, to_conv5: bool = False) -> None:
        super().__init__()
        self.parts = (*PARTS, LAST) if to_conv5 else PARTS
        self.stride = 32 if to_conv5 else 16
        self.layers = nn.Sequential(*(getattr(resnet, part) for part in self.parts))

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Load weights under torchvision's names: `conv1.weight`, `layer1.0.…`."""
        weights = {}
        for name in self.layers.state_dict():
            number, _, rest = name.partition(".")
            weights[name] = state[f"{self.parts[int(number)]}.{rest}"]
        self.layers.load_state_dict(weights)


class ResNet18(ResNet):
    """(N, 3, H, W) normalised photos to (N, 256, ⌈H/16⌉, ⌈W/16⌉) features."""

    channels = 256

    def __init__(self) -> None:
        super().__init__(resnet18(weights=None))


BACKBONE = ResNet18
