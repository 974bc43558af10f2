"""DINOv2's transformer ViT-B/14."""

from place_search.models.backbones.dinov2_vits14 import DINOv2


class DINOv2Base(DINOv2):
    """Of 768 channels, 12 blocks and 12 heads."""

    def __init__(self) -> None:
        super().__init__(768, 12, 12)


BACKBONE = DINOv2Base
