"""Counts the operations of a graph for a photo."""

from math import prod
from pathlib import Path

import openvino


def operations(graph: Path, shape: tuple[int, ...]) -> float:
    """Multiplications and additions of the convolutions and matrix products, in 10⁹.

    `shape` is that of the photo, (h, w, 3).
    """
    model = openvino.Core().read_model(graph)
    model.reshape({0: [1, *shape]})
    total = 0
    for op in model.get_ordered_ops():
        kind = op.get_type_name()
        if kind in ("Convolution", "GroupConvolution"):
            weights = list(op.input(1).get_shape())
            # (O, I, kh, kw), or (groups, O / groups, I / groups, kh, kw)
            inner = prod(weights[1:] if kind == "Convolution" else weights[2:])
        elif kind == "MatMul":
            inner = list(op.input(0).get_shape())[-1]
        else:
            continue
        total += 2 * prod(list(op.output(0).get_shape())) * inner
    return total / 1e9
