"""What NetVLAD needs of a backbone."""

from collections.abc import Mapping

from torch import Tensor, nn


class Backbone(nn.Module):
    """A convolutional network cut where NetVLAD reads its cells.

    Maps (N, 3, H, W) normalised RGB photos to (N, `channels`, h, w) features, one cell every
    `stride` pixels. H and W are multiples of `multiple`, and at least
    `photos.preprocessing.MIN_SIDE`.
    """

    channels: int
    stride: int
    multiple: int = 1

    def units(self) -> list[nn.Module]:
        """The parts that a photo passes one after the other, from the first to the last."""
        return list(self.get_submodule("layers").children())

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Take ImageNet weights as their publisher names them."""
        raise NotImplementedError
