"""DINOv2's weights within a checkpoint."""

from place_search.models.layers import Backbone
from place_search.models.network import load_backbone
from place_search.models.weight_files.tensors import Tensors

WIDTHS = {384: "dinov2-vits14", 768: "dinov2-vitb14", 1024: "dinov2-vitl14"}
"""Backbones by their channels."""


def take_dinov2(tensors: Tensors, prefix: str, ending: str = "") -> tuple[str, Backbone]:
    """The DINOv2 backbone whose weights begin with `prefix`, by name, and with weights.

    `ending` is what its name has besides, as of one that is cut before the last norm.
    """
    channels = tensors.shape_of(f"{prefix}cls_token", 3)[2]
    if channels not in WIDTHS:
        raise tensors.error(f"has a DINOv2 of {channels} channels, not of {list(WIDTHS)}")
    name = WIDTHS[channels] + ending
    backbone = load_backbone(name)()
    # Imports timm, which other families do without.
    from place_search.models.backbones.dinov2_vits14 import published_names, resample

    wanted = backbone.layers.state_dict()
    state = {}
    for ours, theirs in published_names(backbone).items():
        # Positions are those of the photos that it was trained on.
        shape = (1, None, channels) if ours == "0.positions" else wanted[ours].shape
        state[ours] = tensors.take(f"{prefix}{theirs}", shape)
    cells = state["0.positions"].shape[1] - 1
    if round(cells**0.5) ** 2 != cells:
        raise tensors.error(f"has {prefix}pos_embed for {cells} patches, which are no square")
    state["0.positions"] = resample(state["0.positions"])
    backbone.layers.load_state_dict(state)
    tensors.drop(f"{prefix}mask_token")  # for its training alone
    return name, backbone
