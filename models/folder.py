"""Write a torch network as a model folder: weights, graph and card."""

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from safetensors import SafetensorError

from place_search.core.files import sha256_of
from place_search.models.card import ModelCard, write_card
from place_search.models.errors import ModelError
from place_search.models.export import export_onnx
from place_search.models.network import WEIGHTS_NAME, Network, save_network
from place_search.models.runtimes.openvino_runtime import OpenVinoRuntime
from place_search.models.runtimes.torch_runtime import embed_with
from place_search.models.verify import MIN_PARITY


def require_free(out: Path) -> None:
    """Raise `ModelError` where `out` exists, as no model is overwritten, or cannot be in a card."""
    try:
        str(out).encode()
    except UnicodeEncodeError:
        raise ModelError(f"The name {out} is not UTF-8; choose another for the model.") from None
    if out.exists():
        raise ModelError(f"{out} exists already; choose another name or delete it.")


def write_model(network: Network, card: ModelCard, out: Path) -> ModelCard:
    """Write `out` as a model folder and return its card with the files' hashes filled in.

    The folder appears whole or not at all.

    Raises:
        ModelError: `out` exists or cannot be written, or the exported graph disagrees with the
            network.
    """
    require_free(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    except OSError as error:
        raise _unwritable(out, error) from error
    try:
        save_network(network, scratch)
        export_onnx(network, scratch / "f32.onnx")
        _check_parity(network, scratch / "f32.onnx", card)
        names = ("f32.onnx", WEIGHTS_NAME)
        files = {name: sha256_of(scratch / name) for name in names}
        # An int8 graph would be that of other weights, a calibration one of their similarities.
        card = replace(
            card, files=files, quantization=None, calibration=None, precision="f32", saturates=False
        )
        write_card(card, scratch)
        scratch.chmod(0o755)
        scratch.rename(out)
    except (OSError, SafetensorError) as error:
        raise _unwritable(out, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return card


def _unwritable(out: Path, error: Exception) -> ModelError:
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return ModelError(
        f"{out} cannot be written ({reason}); free some space, or name another weights folder with "
        "PLACE_SEARCH_WEIGHTS."
    )


def _check_parity(network: Network, graph: Path, card: ModelCard) -> None:
    random = np.random.default_rng(0)
    runtime = OpenVinoRuntime(graph)
    for width, height in ((640, 480), (333, 257)):
        columns, rows = card.preprocessing.size(width, height)
        pixels = random.integers(0, 256, (rows, columns, 3), dtype=np.uint8)
        ours, theirs = embed_with(network, pixels), runtime.embed(pixels)
        cosine = float(ours.descriptor @ theirs.descriptor)
        shapes = [
            None if made.local_features is None else made.local_features.shape
            for made in (ours, theirs)
        ]
        if not cosine >= MIN_PARITY or shapes[0] != shapes[1]:
            raise ModelError(
                f"The exported graph disagrees with the network (cosine {cosine:.6f}); "
                "nothing was written."
            )
