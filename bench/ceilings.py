"""The peak rate of this machine: large matrix products in float32 and in int8."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
import openvino.opset13 as ops
import torch

SIDE = 2048
LEVELS = 256


class Ceilings:
    """Products of SIDE × SIDE matrices, ready for timing, by the quickest of several libraries."""

    def __init__(self) -> None:
        left, right = (
            np.random.default_rng(seed).random((SIDE, SIDE), np.float32) for seed in (0, 1)
        )
        tensors = torch.from_numpy(left), torch.from_numpy(right)
        plain, quick = _product(right, quantised=False), _product(right, quantised=True)
        self._f32: list[Callable[[], Any]] = [
            lambda: left @ right,
            lambda: torch.mm(*tensors),
            lambda: plain.infer({0: left}, share_inputs=True, share_outputs=True),
        ]
        self._int8: list[Callable[[], Any]] = [
            lambda: quick.infer({0: left}, share_inputs=True, share_outputs=True)
        ]
        for product in (*self._f32, *self._int8):
            product()

    def f32(self) -> float:
        """GFLOP/s of the quickest float32 product, of three runs each."""
        return max(_rate(product) for product in self._f32)

    def int8(self) -> float:
        """GOP/s of the int8 product."""
        return max(_rate(product) for product in self._int8)


def _rate(product: Callable[[], Any]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        product()
        times.append(time.perf_counter() - start)
    return 2 * SIDE**3 / min(times) / 1e9


def _product(weights: Any, *, quantised: bool) -> Any:
    photos = ops.parameter([SIDE, SIDE], np.float32)
    factors = [photos, ops.constant(weights)]
    if quantised:
        factors = [ops.fake_quantize(x, 0.0, 1.0, 0.0, 1.0, LEVELS) for x in factors]
        # Weights are signed, as the processor's int8 products require.
        factors[1] = ops.fake_quantize(ops.constant(weights - 0.5), -0.5, 0.5, -0.5, 0.5, 255)
    model = openvino.Model([ops.matmul(*factors, False, False)], [photos], "ceiling")
    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    return openvino.Core().compile_model(model, "CPU", options).create_infer_request()
