"""Writes a torch network as a model folder: weights, graph and card."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from place_search.core.errors import full_disk_in
from place_search.core.files import sha256_of
from place_search.models.card import DIRECTIONS_NAME, WEIGHTS_NAME, ModelCard, write_card
from place_search.models.errors import ModelError
from place_search.models.export import export_onnx
from place_search.models.network import Network, save_network
from place_search.models.new_folder import new_folder
from place_search.models.runtimes.base import Embedding
from place_search.models.runtimes.openvino_runtime import OpenVinoRuntime
from place_search.models.runtimes.torch_runtime import embed_with
from place_search.models.verify import MIN_PARITY, require_telling_apart


def write_model(
    network: Network,
    card: ModelCard,
    out: Path,
    *,
    directions: NDArray[np.float32] | None = None,
) -> ModelCard:
    """Write `out` as a model folder and return its card with the files' hashes filled in.

    `directions`, (C, bits) float32, are the directions for the codes of local features. The folder
    appears whole or not at all.

    Raises:
        ModelError: `out` exists or cannot be written, or the exported graph disagrees with the
            network, or gives the same descriptor for every photo.
    """
    network.eval()
    with new_folder(out) as scratch:
        # This check comes before the export, which takes seconds.
        photos = _noise(card)
        expected = [embed_with(network, pixels) for pixels in photos]
        require_telling_apart(
            f"'{card.id}'", np.stack([embedding.descriptor for embedding in expected])
        )
        try:
            save_network(network, scratch)
        except SafetensorError as error:
            raise OSError(full_disk_in(str(error)), str(error)) from error
        export_onnx(network, scratch / "f32.onnx")
        _check_graph(scratch / "f32.onnx", photos, expected)
        names = ["f32.onnx", WEIGHTS_NAME]
        if directions is not None:
            np.save(scratch / DIRECTIONS_NAME, directions)
            names.append(DIRECTIONS_NAME)
        files = {name: sha256_of(scratch / name) for name in names}
        # The int8 graph and the calibration of the original card belong to other weights.
        card = replace(
            card, files=files, quantization=None, calibration=None, precision="f32", saturates=False
        )
        write_card(card, scratch)
    return card


def _noise(card: ModelCard) -> list[NDArray[np.uint8]]:
    """Two photos of different shapes, (H, W, 3), at the sizes that the model takes."""
    random = np.random.default_rng(0)
    sizes = [card.preprocessing.size(*size) for size in ((640, 480), (333, 257))]
    return [random.integers(0, 256, (rows, columns, 3), np.uint8) for columns, rows in sizes]


def _check_graph(
    graph: Path, photos: Sequence[NDArray[np.uint8]], expected: Sequence[Embedding]
) -> None:
    runtime = OpenVinoRuntime(graph)
    for pixels, network_embedding in zip(photos, expected, strict=True):
        graph_embedding = runtime.embed(pixels)
        cosine = float(network_embedding.descriptor @ graph_embedding.descriptor)
        shapes = [
            None if of.local_features is None else of.local_features.shape
            for of in (network_embedding, graph_embedding)
        ]
        if not cosine >= MIN_PARITY or shapes[0] != shapes[1]:
            raise ModelError(
                f"The exported graph disagrees with the network (cosine {cosine:.6f}); "
                "nothing was written."
            )
