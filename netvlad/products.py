"""Dot products between the cells of two photos, in int8 on the CPU."""

import threading
from functools import lru_cache
from typing import Any

import numpy as np
import openvino
import openvino.opset13 as ops
from numpy.typing import NDArray

from netvlad.cells import CODE_BITS

_LEVELS = 255
# A projected cell of norm √112 has components of about 1; ±1 and the step must be exact in int8.
_RANGE = np.float32(127 / 32)


class CellProducts:
    """(n, CODE_BITS) × (m, CODE_BITS) to (n, m), four times faster than in float32. Thread-safe.

    Values outside ±3.97 are cut, the others rounded to 1/32.
    """

    def __init__(self) -> None:
        one, other = (ops.parameter([-1, CODE_BITS], np.float32) for _ in range(2))
        product = ops.matmul(_as_int8(one), _as_int8(other), False, True)
        model = openvino.Model([product], [one, other], "cell_products")
        # Callers bring the threads; each product keeps to its own.
        options = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
        self._compiled = openvino.Core().compile_model(model, "CPU", options)
        self._local = threading.local()

    def __call__(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
        """The products; the result is overwritten by the same thread's next call."""
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        request.infer({0: one, 1: other}, share_inputs=True, share_outputs=True)
        result: NDArray[np.float32] = request.get_output_tensor(0).data
        return result


def _as_int8(values: Any) -> Any:
    low, high = -_RANGE, _RANGE
    return ops.fake_quantize(values, low, high, low, high, _LEVELS)


@lru_cache(maxsize=1)
def cell_products() -> CellProducts:
    """The process's own `CellProducts`."""
    return CellProducts()
