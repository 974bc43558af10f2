"""Dot products between the local features of two photos, in int8 on the CPU."""

import os
import threading
from functools import lru_cache
from typing import Any

import numpy as np
import openvino
import openvino.opset13 as ops
from numpy.typing import NDArray

from place_search.core.forking import use_threads
from place_search.models.local_features import CODE_BITS

UNIT = 32
"""Products are counted in units of 1/UNIT."""
_LEVELS = 255
# A projected feature of norm √112 has components of about 1; ±1 and the step must be exact in int8.
_RANGE = np.float32(127 / UNIT)


class FeatureProducts:
    """(n, CODE_BITS) × (m, CODE_BITS) float32 to (n, m) int16, in units of 1/32. Thread-safe.

    Values outside ±3.97 are cut, the others rounded to 1/32. Several times faster than float32,
    and half the memory to go through afterwards. Of features of norm √112 the sum of nine products
    fits in an int16.
    """

    def __init__(self) -> None:
        one, other = (ops.parameter([-1, CODE_BITS], np.float32) for _ in range(2))
        product = ops.matmul(_as_int8(one), _as_int8(other), False, True)
        counted = ops.convert(ops.round(ops.multiply(product, np.float32(UNIT))), "i16")
        model = openvino.Model([counted], [one, other], "feature_products")
        # Callers bring the threads: a stream of one thread for each that the machine can run.
        threads = os.cpu_count() or 1
        options = {
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = openvino.Core().compile_model(model, "CPU", options)
        self._local = threading.local()
        # OpenVINO's first inference must have ended before another begins: its binding waits for
        # Python's lock while it initialises a static that another thread may wait for.
        nothing = np.zeros((1, CODE_BITS), np.float32)
        self(nothing, nothing)

    def __call__(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.int16]:
        """The products; the result is overwritten by the same thread's next call."""
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        request.infer({0: one, 1: other}, share_inputs=True, share_outputs=True)
        result: NDArray[np.int16] = request.get_output_tensor(0).data
        return result


def _as_int8(values: Any) -> Any:
    low, high = -_RANGE, _RANGE
    return ops.fake_quantize(values, low, high, low, high, _LEVELS)


_making = threading.Lock()


def feature_products() -> FeatureProducts:
    """The process's own `FeatureProducts`."""
    use_threads()
    with _making:
        return _made()


@lru_cache(maxsize=1)
def _made() -> FeatureProducts:
    return FeatureProducts()
