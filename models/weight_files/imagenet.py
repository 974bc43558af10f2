"""ImageNet weights under torchvision's names: a backbone without a NetVLAD layer."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from place_search.models.backbones.resnet18 import LAST, PARTS
from place_search.models.weight_files.tensors import recognise_backbone

FAMILY = "torchvision"


def numbered(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The weights with ResNet's layers below `prefix` by number: `layer1.0.…` is `4.0.…`."""
    names = {}
    for name in state:
        part, _, rest = name.removeprefix(prefix).partition(".")
        is_layer = name.startswith(prefix) and part in (*PARTS, LAST)
        names[name] = f"{prefix}{(*PARTS, LAST).index(part)}.{rest}" if is_layer else name
    return {names[name]: value for name, value in state.items()}


def torchvision_backbones(state: Mapping[str, Any]) -> list[str]:
    """The backbones in weights of torchvision with any head: a ResNet's to conv4, and to conv5."""
    if not all(isinstance(value, Tensor) for value in state.values()):
        return []
    found = []
    for parts in (PARTS, (*PARTS, LAST)):
        names = set()
        for name in state:
            part, _, rest = name.partition(".")
            if part == "features":
                names.add(rest)
            elif part in parts:
                names.add(f"{parts.index(part)}.{rest}")
        found.append(recognise_backbone(names))
    return [name for name in dict.fromkeys(found) if name is not None]
