"""Checks a model folder: its files, its graph against its network, the norm of descriptors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import sha256_of
from place_search.models.card import ModelCard, read_card
from place_search.models.errors import ModelError
from place_search.models.precision import GRAPHS
from place_search.models.runtimes.openvino_runtime import OpenVinoRuntime
from place_search.photos.opencv import cv2

MIN_PARITY = 0.99999
MIN_INT8_COSINE = 0.6


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """The problems of a model; `parity` is the cosine of graph and network.

    It is None if torch is not installed or the model has no weights for torch.
    """

    id: str
    problems: list[str]
    parity: float | None


def verify_model(folder: Path) -> ModelCheck:
    """Check the files against the card, and the graph against the network in torch."""
    try:
        card = read_card(folder)
    except ModelError as error:
        return ModelCheck(folder.name, [str(error)], None)
    problems = [
        f"{folder / name} is missing or altered; fetch or import the model again."
        for name, sha256 in card.files.items()
        if not (folder / name).is_file() or sha256_of(folder / name) != sha256
    ]
    if problems:
        return ModelCheck(card.id, problems, None)
    try:
        parity = _run(folder, card, problems)
    except ModelError as error:
        return ModelCheck(card.id, [*problems, str(error)], None)
    return ModelCheck(card.id, problems, parity)


def require_telling_apart(model: object, descriptors: NDArray[np.floating[Any]]) -> None:
    """Make sure that the descriptors of a few photos, (n, D), differ.

    Raises:
        ModelError: a descriptor is all zeros, or all are the same; the text begins with `model`.
    """
    if not descriptors.any(axis=1).all():
        raise ModelError(f"{model} gives a vector of zeros for a photo; it can tell none apart.")
    if np.ptp(descriptors, axis=0).max() <= 1e-6 * float(abs(descriptors).max()):
        raise ModelError(
            f"{model} gives the same vector for every photo, so that it can tell none apart; check "
            "its weights, or how it was exported."
        )


def _run(folder: Path, card: ModelCard, problems: list[str]) -> float | None:
    width, height = card.preprocessing.size(640, 480)
    # Soft patches of colour, as int8 graphs saturate on noise, which photos do not contain.
    patches = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    enlarged = cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)
    pixels = np.asarray(enlarged, dtype=np.uint8)
    embedding = OpenVinoRuntime(folder / card.f32_files[0]).embed(pixels)
    descriptor, local = embedding.descriptor, embedding.local_features
    channels = 0 if local is None else local.shape[2]
    expected = 0 if card.local_features is None else card.local_features.channels
    if descriptor.shape != (card.dims,) or channels != expected:
        problems.append(
            f"The graph of '{card.id}' gives {len(descriptor)} dimensions and local features of "
            f"{channels}, not {card.dims} and {expected} as its card says."
        )
        return None
    if not abs(float(np.linalg.norm(descriptor)) - 1) < 1e-4:
        problems.append(f"The descriptors of '{card.id}' do not have the norm 1.")
    if card.quantization is not None:
        _check_int8(folder, card, pixels, descriptor, problems)
    if not card.has_weights:
        return None
    try:
        from place_search.models.runtimes.torch_runtime import TorchRuntime
    except ImportError:
        return None
    parity = float(TorchRuntime(folder, card).embed(pixels).descriptor @ descriptor)
    if not parity >= MIN_PARITY:
        problems.append(f"The graph of '{card.id}' disagrees with its weights ({parity:.6f}).")
    return parity


def _check_int8(
    folder: Path,
    card: ModelCard,
    pixels: NDArray[np.uint8],
    exact: NDArray[np.float32],
    problems: list[str],
) -> None:
    descriptor = OpenVinoRuntime(folder / GRAPHS["int8"][0]).embed(pixels).descriptor
    # Even an int8 graph calibrated on few photos is nearer; only a graph of other weights is not.
    if descriptor.shape != exact.shape or not float(descriptor @ exact) >= MIN_INT8_COSINE:
        problems.append(
            f"The int8 graph of '{card.id}' is not one of its weights; make it again with "
            "`place-search quantize`."
        )
