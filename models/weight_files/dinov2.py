"""DINOv2's weights within a checkpoint."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from place_search.core.plugins import has_part
from place_search.models.layers import Backbone
from place_search.models.network import BACKBONES, load_backbone
from place_search.models.weight_files.tensors import Tensors

LICENCE = "Apache-2.0 (DINOv2)"
WIDTHS = {384: "dinov2-vits14", 768: "dinov2-vitb14", 1024: "dinov2-vitl14"}
"""Backbones by their channels."""


def take_dinov2(tensors: Tensors, prefix: str, ending: str = "") -> tuple[str, Backbone]:
    """The name of the DINOv2 backbone whose weights begin with `prefix`, and the backbone.

    `ending` is added to the name, as for a backbone without the last norm.
    """
    channels = tensors.shape_of(f"{prefix}cls_token", 3)[2]
    if channels not in WIDTHS:
        raise tensors.error(f"has a DINOv2 of {channels} channels, not of {list(WIDTHS)}")
    name = WIDTHS[channels] + ending
    if not has_part(BACKBONES, name):
        raise tensors.error(f"has a DINOv2 of {channels} channels, in which no one published it")
    backbone = load_backbone(name)()
    # Imported here because it needs timm, which other families do not.
    from place_search.models.backbones.dinov2_vits14 import published_names

    layers = backbone.layers.state_dict()
    state = {}
    for layer, published in published_names(backbone).items():
        # The number of positions depends on the size of the photos in training.
        shape = (1, None, channels) if published == "pos_embed" else layers[layer].shape
        state[published] = tensors.take(f"{prefix}{published}", shape)
    patches = state["pos_embed"].shape[1] - 1
    if math.isqrt(patches) ** 2 != patches:
        raise tensors.error(f"has {prefix}pos_embed for {patches} patches, which are no square")
    backbone.load_imagenet(state)
    tensors.drop(f"{prefix}mask_token")  # used only in its training
    return name, backbone


def dinov2_backbone(state: Mapping[str, Any]) -> str | None:
    """The name of the backbone of weights as DINOv2 publishes them, else None.

    There is none for weights with registers.
    """
    token = state.get("cls_token")
    if not isinstance(token, Tensor) or token.ndim != 3 or "blocks.0.ls1.gamma" not in state:
        return None
    return None if "register_tokens" in state else WIDTHS.get(token.shape[2])
