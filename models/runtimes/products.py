"""Dot products between the local features of two photos, in bfloat16 where the CPU has it."""

import threading
from functools import lru_cache

import numpy as np
import openvino
import openvino.opset13 as ops
from numpy.typing import NDArray

from place_search.core.forking import use_threads


class FeatureProducts:
    """(n, bits) × (m, bits) int8 to (n, m) float32. Thread-safe.

    8 bits fit bfloat16 and sums are in float32, so that products are exact on every CPU. CPUs with
    matrix units take a quarter of the time of float32.
    """

    def __init__(self, bits: int) -> None:
        core = openvino.Core()
        short = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        left, right = (ops.parameter([-1, bits], np.float32) for _ in range(2))
        model = openvino.Model([ops.matmul(left, right, False, True)], [left, right], "products")
        # With one thread, inference runs in the calling thread: handing such small work to another
        # thread takes as long as the work itself.
        self._options = {
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": 1,
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "bf16" if short else "f32",
        }
        self._core, self._model = core, model
        self._local = threading.local()
        # Runs a first inference alone: OpenVINO's binding waits for Python's lock while it
        # initialises a static for which another thread may wait.
        nothing = np.zeros((1, bits), np.int8)
        self(nothing, nothing)

    def __call__(self, left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.float32]:
        """The products; the result is overwritten by the same thread's next call."""
        request = getattr(self._local, "request", None)
        if request is None:
            compiled = self._core.compile_model(self._model, "CPU", self._options)
            request = self._local.request = compiled.create_infer_request()
        inputs = {at: side.astype(np.float32) for at, side in enumerate((left, right))}
        request.infer(inputs, share_inputs=True, share_outputs=True)
        result: NDArray[np.float32] = request.get_output_tensor(0).data
        return result


_making = threading.Lock()


def feature_products(bits: int) -> FeatureProducts:
    """The process's `FeatureProducts` for features of `bits` numbers."""
    use_threads()
    with _making:
        return _new_products(bits)


@lru_cache(maxsize=2)
def _new_products(bits: int) -> FeatureProducts:
    return FeatureProducts(bits)
