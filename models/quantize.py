"""Quantises a model's graph to int8 with NNCF, calibrated on photos; needs the extra `quantize`."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as opset
from openvino.passes import ConstantFolding, Manager

from place_search.core.files import scratch_folder, sha256_of
from place_search.core.progress import Progress, silent
from place_search.models.card import ModelCard, read_card, write_card
from place_search.models.graphs.fitted import as_unit_vector
from place_search.models.precision import GRAPHS, Quantization
from place_search.models.runtimes.openvino_runtime import OpenVinoRuntime

CONVOLUTIONS = ("Convolution", "GroupConvolution")
NORMS = ("ReduceL1", "ReduceL2", "NormalizeL2")
FIRST_LAYERS = (0, 1, 3, 6)
"""The numbers of first convolutions to leave in float32, tried until the loss is small."""
ENOUGH_COSINE = 0.99
LARGE_MATRIX = 1 << 20
"""The least size of a matrix that may be a `ByteLinear`'s, in numbers."""
JUDGES = 32
"""The number of photos that a graph's cosine is measured on."""

Pixels = NDArray[np.uint8]


def quantize_model(
    folder: Path,
    photos: Sequence[Pixels],
    photos_sha256: str,
    *,
    first: int | None = None,
    views: bool = False,
    progress: Progress = silent,
) -> ModelCard:
    """Add an int8 graph to a model folder and its card; returns the card.

    `photos` are prepared for the model (`Model.prepare`) and set the ranges of its activations;
    `views` notes in the card that they are altered. The first norm and all layers after it
    (NetVLAD, whitening) stay in float32, since a softmax over scaled products and a normalisation
    of small sums amplify small errors. Sums of residuals stay in float32, since their errors would
    add up from block to block, and so do the `first` convolutions, by default as few as give
    descriptors a mean cosine of `ENOUGH_COSINE` to float32's.

    Raises:
        ModelError: the folder holds no model.
        OSError: the folder cannot be written.
    """
    card = read_card(folder)
    source = folder / card.f32_files[0]
    judged = list(photos[:: max(1, len(photos) // JUDGES)])[:JUDGES]
    exact = _descriptors(source, judged)
    trials: list[tuple[float, int, Path]] = []
    with scratch_folder(folder, "int8") as scratch:
        choices = FIRST_LAYERS if first is None else (first,)
        for turn, count in enumerate(choices):
            progress("Quantising", turn, len(choices))
            graph = scratch / f"{count}.xml"
            _quantize(source, photos, count, graph)
            cosine = float((exact * _descriptors(graph, judged)).sum(axis=1).mean())
            trials.append((cosine, -count, graph))
            if cosine >= ENOUGH_COSINE:
                break
        cosine, negative_count, graph = max(trials)
        # The card never names a graph that does not exist.
        card = without_int8(card)
        write_card(card, folder)
        for graph_file, name in zip(
            (graph, graph.with_suffix(".bin")), GRAPHS["int8"], strict=True
        ):
            graph_file.chmod(0o644)
            graph_file.replace(folder / name)
    progress("Quantising", len(choices), len(choices))
    quantization = Quantization(
        photos=len(photos),
        photos_sha256=photos_sha256,
        f32_layers=_in_words(-negative_count, source, card),
        cosine=round(cosine, 5),
        views=views,
    )
    files = {**card.files, **{name: sha256_of(folder / name) for name in GRAPHS["int8"]}}
    card = replace(card, files=files, quantization=quantization)
    write_card(card, folder)
    return card


def without_int8(card: ModelCard) -> ModelCard:
    """The card of the same model without an int8 graph."""
    files = {name: sha for name, sha in card.files.items() if name not in GRAPHS["int8"]}
    return replace(card, files=files, quantization=None)


def _in_words(first: int, graph: Path, card: ModelCard) -> str:
    """The layers that stay in float32, in words."""
    parts = [f"the first {first} convolutions"] if first else []
    parts += ["sums of residuals"] if _residuals(_read(graph).get_ordered_ops()) else []
    pool = "NetVLAD" if card.aggregation.name == "netvlad" else "the first norm"
    return ", ".join([*parts, f"{pool} and what follows"])


def _descriptors(graph: Path, photos: Sequence[Pixels]) -> NDArray[np.float32]:
    """Descriptors normalised to L2 norm 1: other people's graphs are off by some thousandths."""
    runtime = OpenVinoRuntime(graph)
    descriptors = np.stack([runtime.embed(pixels).descriptor for pixels in photos])
    unit: NDArray[np.float32] = descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)
    return unit


def _quantize(source: Path, photos: Sequence[Pixels], first: int, out: Path) -> None:
    graph = _read(source)
    if not _norms(graph.get_ordered_ops()):
        # A norm built of elementary operators would be wrong once these are in int8.
        graph = as_unit_vector(graph)
    operations = graph.get_ordered_ops()
    layers = [op for op in operations if op.get_type_name() in CONVOLUTIONS]
    exact = layers[:first] + _residuals(operations)
    ignored = [op.get_friendly_name() for op in exact] + _pooling(operations)
    with _quiet():
        quantized = nncf.quantize(
            graph,
            nncf.Dataset(photos, lambda pixels: pixels[None]),
            # Activations after ReLU6 and the like are not symmetric.
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(photos),
            model_type=nncf.ModelType.TRANSFORMER if _is_transformer(operations) else None,
            ignored_scope=nncf.IgnoredScope(names=ignored, validate=False),
        )
    _keep_bytes(quantized)
    openvino.save_model(quantized, out, compress_to_fp16=False)


def _keep_bytes(graph: Any) -> None:
    """Convert matrices back to 8 bits that had 8 bits before constant folding."""
    for op in graph.get_ordered_ops():
        if op.get_type_name() != "MatMul":
            continue
        matrix = op.input(1).get_source_output().get_node()
        if matrix.get_type_name() != "Constant" or matrix.data.size < LARGE_MATRIX:
            continue
        scale = np.abs(matrix.data).max(axis=1, keepdims=True) / np.float32(127)
        numbers = np.round(matrix.data / scale)
        if np.allclose(numbers * scale, matrix.data, rtol=1e-5, atol=0):
            matrix_8_bit = opset.convert(opset.constant(numbers.astype(np.int8)), np.float32)
            scaled = opset.multiply(matrix_8_bit, opset.constant(scale))
            op.input(1).replace_source_output(scaled.output(0))


def _read(source: Path) -> Any:
    graph = openvino.Core().read_model(source)
    # ONNX reshapes the weights of depthwise convolutions; OpenVINO runs them in int8 only if their
    # weights are constants.
    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(graph)
    return graph


def _residuals(operations: Sequence[Any]) -> list[Any]:
    """The sums of two activations."""
    return [
        op
        for op in operations
        if op.get_type_name() == "Add"
        and all(
            source.get_source_output().get_node().get_type_name() != "Constant"
            for source in op.inputs()
        )
    ]


def _is_transformer(operations: Sequence[Any]) -> bool:
    """Whether the graph has layer norms, as transformers, whose activations need smoothing."""
    return any(op.get_type_name() == "MVN" for op in operations)


def _norms(operations: Sequence[Any]) -> list[Any]:
    return [op for op in operations if op.get_type_name() in NORMS]


def _pooling(operations: Sequence[Any]) -> list[str]:
    """The names of all operations that depend on the input of the first norm, sorted.

    The graph stores them, so that their order must not vary.
    """
    waiting = [_norms(operations)[0].input(0).get_source_output()]
    names: set[str] = set()
    while waiting:
        for target in waiting.pop().get_target_inputs():
            node = target.get_node()
            if node.get_friendly_name() not in names:
                names.add(node.get_friendly_name())
                waiting.extend(node.outputs())
    return sorted(names)  # the order of an output's targets varies


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence NNCF's list of every ignored layer."""
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
