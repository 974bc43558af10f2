"""What NetVLAD needs of a backbone."""

from collections.abc import Mapping

from torch import Tensor, nn


class Backbone(nn.Module):
    """A convolutional network cut where NetVLAD reads its cells.

    Maps (N, 3, H, W) normalised photos to (N, `channels`, H / `stride`, W / `stride`) features.
    """

    channels: int
    stride: int

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Take ImageNet weights as their publisher names them."""
        raise NotImplementedError
