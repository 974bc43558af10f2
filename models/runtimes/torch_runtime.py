"""The torch runtime: the reference for other runtimes, and the runtime for GPUs."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from place_search.models.card import ModelCard
from place_search.models.layers import Backbone
from place_search.models.network import Network, load_network
from place_search.models.runtimes.base import Embedding, Key

GPU_BATCH = 16
"""The number of photos of one shape in a batch on a GPU, which bounds the memory in use."""


@torch.inference_mode()
def embed_with(network: Network, pixels: NDArray[np.uint8]) -> Embedding:
    """Run a network on a photo, (h, w, 3) uint8 RGB, on the device of its weights."""
    photos = torch.tensor(pixels, device=network.pixel_mean.device)[None]
    return Embedding(*(output[0].cpu().numpy() for output in network(photos)))


class HalfPrecision(nn.Module):
    """A backbone in mixed precision: products in float16, sums and outputs in float32.

    NetVLAD stays in float32: its softmax and normalisations amplify small errors.
    """

    def __init__(self, backbone: Backbone, device: str) -> None:
        super().__init__()
        self.backbone = backbone
        self.device = device

    def forward(self, photos: Tensor) -> Tensor:
        """As the backbone: (N, 3, H, W) to (N, C, h, w) float32."""
        with torch.autocast(self.device, dtype=torch.float16):
            features: Tensor = self.backbone(photos)
        return features.float()

    def with_token(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """The backbone's features and token, in float32."""
        with torch.autocast(self.device, dtype=torch.float16):
            features, token = self.backbone.with_token(photos)
        return features.float(), token.float()


class TorchRuntime:
    """Runs a model's network in torch, on a GPU if available. Thread-safe.

    A GPU gets `batch` photos at once, from pinned memory, and runs the backbone in mixed precision.
    """

    name = "torch"

    def __init__(
        self, folder: Path, card: ModelCard, *, threads: int | None = None, batch: int | None = None
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        on_gpu = torch.cuda.is_available()
        network = load_network(folder, card)
        if on_gpu:
            network.backbone = HalfPrecision(network.backbone, "cuda")  # type: ignore[assignment]
        self._network = network.to(torch.device("cuda" if on_gpu else "cpu"))
        self._pinned = on_gpu
        self.batch = batch or (GPU_BATCH if on_gpu else 1)

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embed one photo: (h, w, 3) uint8 RGB at the size the card asks for."""
        return self._run([pixels])[0]

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        """Embed many photos in their order, consecutive photos of one shape in batches."""
        waiting: list[tuple[Key, NDArray[np.uint8]]] = []
        for photo in photos:
            if waiting and waiting[0][1].shape != photo[1].shape:
                yield from self._finish(waiting)
                waiting = []
            waiting.append(photo)
            if len(waiting) == self.batch:
                yield from self._finish(waiting)
                waiting = []
        yield from self._finish(waiting)

    def _finish(
        self, waiting: list[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        if waiting:
            embeddings = self._run([pixels for _, pixels in waiting])
            yield from zip((key for key, _ in waiting), embeddings, strict=True)

    @torch.inference_mode()
    def _run(self, pictures: list[NDArray[np.uint8]]) -> list[Embedding]:
        photos = torch.from_numpy(np.stack(pictures))
        if self._pinned:
            photos = photos.pin_memory().to("cuda", non_blocking=True)
        outputs = [output.cpu().numpy() for output in self._network(photos)]
        return [Embedding(*rows) for rows in zip(*outputs, strict=True)]
