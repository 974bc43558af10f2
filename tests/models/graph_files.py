"""Small ONNX graphs that turn a photo into a vector, and what they must give, in numpy."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

DIMS = 32
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PREPARED = {"mean": "[0.485, 0.456, 0.406]", "std": "[0.229, 0.224, 0.225]", "size": "[96, 128]"}
"""Metadata that says all there is to say: photos of 128 × 96."""
Length = int | str
_STEP = 4
_WEIGHTS = np.random.default_rng(0).standard_normal((DIMS, 3, _STEP, _STEP)).astype(np.float32) / 8


def descriptor(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the graphs give of (h, w, 3) RGB pixels, L2-normalised: ReLU(conv), mean over cells."""
    rows, columns = (side // _STEP for side in pixels.shape[:2])
    unit = (pixels[: rows * _STEP, : columns * _STEP] / 255.0 - MEAN) / STD
    cells = unit.reshape(rows, _STEP, columns, _STEP, 3).transpose(0, 2, 4, 1, 3)
    pooled = np.maximum(cells.reshape(-1, 48) @ _WEIGHTS.reshape(DIMS, 48).T, 0).mean(axis=0)
    return np.asarray(pooled / np.linalg.norm(pooled), np.float64)


def graph(
    *,
    batch: Length = "n",
    size: Sequence[Length] = ("h", "w"),
    kind: int = TensorProto.FLOAT,
    channels: Length = 3,
    last: Sequence[NodeProto] = (),
    outputs: Sequence[str] = ("descriptor",),
    metadata: Mapping[str, str] | None = None,
    imports: Mapping[str, int] | None = None,
) -> ModelProto:
    """Conv, ReLU, mean and what is `last`, which takes `pooled` and gives `descriptor`."""
    nodes = [
        helper.make_node("Conv", ["photos", "weights"], ["cells"], strides=[_STEP, _STEP]),
        helper.make_node("Relu", ["cells"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["pooled"]),
        *(last or [helper.make_node("Identity", ["pooled"], ["descriptor"])]),
    ]
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "place",
            [helper.make_tensor_value_info("photos", kind, [batch, channels, *size])],
            [helper.make_tensor_value_info(name, kind, None) for name in outputs],
            [numpy_helper.from_array(_WEIGHTS.astype(dtype), "weights")],
        ),
        opset_imports=[
            helper.make_opsetid(domain, version)
            for domain, version in {"": 17, **(imports or {})}.items()
        ],
        ir_version=9,
    )
    helper.set_model_props(made, dict(metadata or {}))
    return made


def write_graph(path: Path, made: ModelProto | None = None) -> Path:
    """A graph in a file; by default one that says itself how photos are prepared."""
    onnx.save(made or graph(metadata=PREPARED), path)
    return path
