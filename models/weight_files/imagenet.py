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


def torchvision_backbone(state: Mapping[str, Any]) -> str | None:
    """The name of the torchvision backbone of these weights, with any head, else None."""
    if not all(isinstance(value, Tensor) for value in state.values()):
        return None
    names = set()
    for name in state:
        part, _, rest = name.partition(".")
        if part == "features":
            names.add(rest)
        elif part in PARTS:
            names.add(f"{PARTS.index(part)}.{rest}")
    return recognise_backbone(names)
