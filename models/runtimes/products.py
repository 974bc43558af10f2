"""Dot products between the local features of two photos, in bfloat16 where the CPU has it."""

import threading
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import openvino
import openvino.opset13 as ops
from numpy.typing import NDArray

from place_search.core.forking import use_threads
from place_search.models.local_features import CODE_BITS, decode_codes

UNIT = 32
"""Features are counted in units of 1/UNIT."""
MOST = 127
"""The most units of a component, either way: with the sign they fill 8 bits."""

Packed: TypeAlias = NDArray[np.uint16] | NDArray[np.float32]
"""Features as `FeatureProducts` takes them: the bits of bfloat16, or float32."""


class FeatureProducts:
    """(n, CODE_BITS) × (m, CODE_BITS) packed features to (n, m) float32. Thread-safe.

    Units of features fit bfloat16's 8 bits, and sums are float32's: products are exact on every
    CPU. Those with matrix units take a quarter of the time that float32 takes.
    """

    def __init__(self) -> None:
        core = openvino.Core()
        self._short = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._type = openvino.Type.bf16 if self._short else openvino.Type.f32
        one, other = (ops.parameter([-1, CODE_BITS], self._type) for _ in range(2))
        both = [ops.convert(side, np.float32) for side in (one, other)]
        model = openvino.Model([ops.matmul(*both, False, True)], [one, other], "feature_products")
        # Of one thread, so that it computes in the thread that calls it: handing such small work to
        # another one takes as long as the work does.
        self._options = {
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": 1,
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "bf16" if self._short else "f32",
        }
        self._core, self._model = core, model
        self._local = threading.local()
        every = np.arange(256, dtype=np.uint8)[:, None]
        self._signs = self.pack(decode_codes(every, 8))
        # OpenVINO's first inference must have ended before another begins: its binding waits for
        # Python's lock while it initialises a static that another thread may wait for.
        nothing = self.pack(np.zeros((1, CODE_BITS), np.float32))
        self(nothing, nothing)

    def pack(self, features: NDArray[np.float32]) -> Packed:
        """Features of any shape whose components are at most 8 bits, times a power of 2."""
        if not self._short:
            return features
        return (np.ascontiguousarray(features).view(np.uint32) >> 16).astype(np.uint16)

    def pack_codes(self, codes: NDArray[np.uint8]) -> Packed:
        """The signs in (n, CODE_BYTES) codes, (n, CODE_BITS), packed."""
        return self._signs[codes].reshape(len(codes), CODE_BITS)

    def __call__(self, one: Packed, other: Packed) -> NDArray[np.float32]:
        """The products; the result is overwritten by the same thread's next call."""
        request = getattr(self._local, "request", None)
        if request is None:
            compiled = self._core.compile_model(self._model, "CPU", self._options)
            request = self._local.request = compiled.create_infer_request()
        inputs = {0: self._tensor(one), 1: self._tensor(other)}
        request.infer(inputs, share_inputs=True, share_outputs=True)
        result: NDArray[np.float32] = request.get_output_tensor(0).data
        return result

    def _tensor(self, packed: Packed) -> Any:
        return openvino.Tensor(packed, packed.shape, self._type)


def in_units(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features in whole units of 1/32, at most 127 of them either way."""
    units: NDArray[np.float32] = np.rint(features * np.float32(UNIT))
    np.clip(units, -MOST, MOST, out=units)
    return units


_making = threading.Lock()


def feature_products() -> FeatureProducts:
    """The process's own `FeatureProducts`."""
    use_threads()
    with _making:
        return _made()


@lru_cache(maxsize=1)
def _made() -> FeatureProducts:
    return FeatureProducts()
