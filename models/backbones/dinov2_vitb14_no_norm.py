"""DINOv2's ViT-B/14 without the norm behind its last block, as BoQ reads it."""

from place_search.models.backbones.dinov2_vits14 import DINOv2


class DINOv2BaseNoNorm(DINOv2):
    """Of 768 channels, 12 blocks and 12 heads."""

    def __init__(self) -> None:
        super().__init__(768, 12, 12, norm=False)


BACKBONE = DINOv2BaseNoNorm
