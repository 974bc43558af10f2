"""Check a model folder: files whole, graph and network of one mind, descriptors of norm 1."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netvlad.card import ModelCard, read_card, sha256_of
from netvlad.errors import ModelError
from netvlad.openvino_runtime import OpenVinoRuntime

MIN_PARITY = 0.99999


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """What is wrong with a model, if anything; `parity` is None where torch is not installed."""

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


def _run(folder: Path, card: ModelCard, problems: list[str]) -> float | None:
    width, height = card.preprocessing.size(640, 480)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    descriptor, cells = OpenVinoRuntime(folder / "f32.onnx").embed(pixels)
    if descriptor.shape != (card.dims,) or cells.shape[2] != card.channels:
        problems.append(
            f"The graph of '{card.id}' gives {len(descriptor)} dimensions and cells of "
            f"{cells.shape[2]}, not {card.dims} and {card.channels} as its card says."
        )
        return None
    if not abs(float(np.linalg.norm(descriptor)) - 1) < 1e-4:
        problems.append(f"The descriptors of '{card.id}' do not have the norm 1.")
    try:
        from netvlad.torch_runtime import TorchRuntime
    except ImportError:
        return None
    parity = float(TorchRuntime(folder, card).embed(pixels).descriptor @ descriptor)
    if not parity >= MIN_PARITY:
        problems.append(f"The graph of '{card.id}' disagrees with its weights ({parity:.6f}).")
    return parity
