"""The torch runtime: the reference for the others, and the one for GPUs."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from netvlad.card import ModelCard
from netvlad.network import Network, load_network
from netvlad.runtime import Embedding, Key


@torch.inference_mode()
def embed_with(network: Network, pixels: NDArray[np.uint8]) -> Embedding:
    """Run a network on one photo, (h, w, 3) uint8 RGB, where the network's weights are."""
    photos = torch.tensor(pixels, device=network.pixel_mean.device)[None]
    descriptors, cells = network(photos)
    return Embedding(descriptors[0].cpu().numpy(), cells[0].cpu().numpy())


class TorchRuntime:
    """Runs a model's network in torch, on a GPU where there is one. Thread-safe."""

    name = "torch"

    def __init__(self, folder: Path, card: ModelCard, *, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = load_network(folder, card).to(device)

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embed one photo: (h, w, 3) uint8 RGB at the size the card asks for."""
        return embed_with(self._network, pixels)

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        """Embed many photos one after the other, in their order."""
        for key, pixels in photos:
            yield key, self.embed(pixels)
