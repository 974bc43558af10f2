"""DINOv2's transformer ViT-L/14."""

from place_search.models.backbones.dinov2_vits14 import DINOv2


class DINOv2Large(DINOv2):
    """Of 1024 channels, 24 blocks and 16 heads."""

    def __init__(self) -> None:
        super().__init__(1024, 24, 16)


BACKBONE = DINOv2Large
