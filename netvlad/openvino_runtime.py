"""The CPU runtime: OpenVINO runs the model's ONNX graph."""

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

# Set before the import: place-search reports nothing to anybody.
os.environ.setdefault("OPENVINO_TELEMETRY_OPT_OUT", "1")

import numpy as np
import openvino
from numpy.typing import NDArray

from netvlad.errors import ModelError
from netvlad.runtime import Embedding, Key

# One compiled graph a photo shape: about 10 % faster than one graph with free shapes.
MAX_SHAPES = 8
# A graph this large holds a whitening matrix of hundreds of megabytes, once for each shape.
LARGE_GRAPH_BYTES = 256 << 20
MAX_LARGE_SHAPES = 2


class _Requests:
    """The compiled graph of one photo shape, and its idle inference requests."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    def take(self) -> Any:
        with self._lock:
            return self._idle.pop() if self._idle else self._compiled.create_infer_request()

    def give(self, request: Any) -> None:
        with self._lock:
            self._idle.append(request)


class OpenVinoRuntime:
    """Runs a graph on the CPU in float32. Thread-safe.

    `mode` "latency" uses every thread for one photo; "throughput" runs several photos side by
    side. `threads` bounds the CPU threads.
    """

    name = "openvino"

    def __init__(
        self,
        graph: Path,
        *,
        mode: Literal["latency", "throughput"] = "latency",
        threads: int | None = None,
    ) -> None:
        self._core = openvino.Core()
        # Without this, processors with bfloat16 would silently compute in it.
        self._options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": mode.upper(),
        }
        if threads is not None:
            self._options["INFERENCE_NUM_THREADS"] = threads
        self._graph = graph
        large = graph.is_file() and graph.stat().st_size > LARGE_GRAPH_BYTES
        self._kept = MAX_LARGE_SHAPES if large else MAX_SHAPES
        self._shapes: OrderedDict[tuple[int, ...], _Requests] = OrderedDict()
        self._lock = threading.Lock()
        self.parallel = (threads or os.cpu_count() or 1) if mode == "throughput" else 1

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embed one photo: (h, w, 3) uint8 RGB at the size the card asks for."""
        return next(self.stream([(None, pixels)]))[1]

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        """Embed many photos, several at once; results come in the order of `photos`."""
        running: deque[tuple[Key, _Requests, Any]] = deque()
        try:
            for key, pixels in photos:
                requests = self._requests(pixels.shape)
                request = requests.take()
                request.start_async({0: pixels[None]}, share_inputs=False)
                running.append((key, requests, request))
                if len(running) > self.parallel:
                    yield self._finish(*running.popleft())
            while running:
                yield self._finish(*running.popleft())
        finally:
            for _, requests, request in running:
                request.wait()
                requests.give(request)

    def _finish(self, key: Key, requests: _Requests, request: Any) -> tuple[Key, Embedding]:
        request.wait()
        descriptor = np.array(request.get_output_tensor(0).data[0])
        cells = np.array(request.get_output_tensor(1).data[0])
        requests.give(request)
        return key, Embedding(descriptor, cells)

    def _requests(self, shape: tuple[int, ...]) -> _Requests:
        with self._lock:
            found = self._shapes.get(shape)
            if found is None:
                found = self._shapes[shape] = _Requests(self._compile(shape))
                if len(self._shapes) > self._kept:
                    self._shapes.popitem(last=False)
            self._shapes.move_to_end(shape)
            return found

    def _compile(self, shape: tuple[int, ...]) -> Any:
        try:
            model = self._core.read_model(self._graph)
            model.reshape({0: [1, *shape]})
            return self._core.compile_model(model, "CPU", self._options)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ModelError(
                f"{self._graph} cannot run on a photo of {shape[1]} × {shape[0]} ({reason})."
            ) from error
