"""ImageNet weights as torchvision names them: a backbone without a NetVLAD layer."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from place_search.models.backbones.resnet18 import PARTS
from place_search.models.weight_files.tensors import recognise_backbone

FAMILY = "torchvision"


def torchvision_backbone(state: Mapping[str, Any]) -> str | None:
    """The backbone that these weights are of, whatever head is on it, else None."""
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
