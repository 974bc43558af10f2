"""The CPU runtime: OpenVINO runs the model's ONNX graph."""

import math
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from place_search.core.forking import use_threads
from place_search.models.errors import ModelError
from place_search.models.runtimes.base import Embedding, Key, Mode

# One compiled graph a photo shape and mode: about 10 % faster than one graph with free shapes.
# Each holds what it computes, 35 MB in int8 and 50 in float32, once for each photo at a time.
MAX_SHAPES = 8
# A graph this large holds a whitening matrix of hundreds of megabytes, once for each shape.
LARGE_GRAPH_BYTES = 256 << 20
MAX_LARGE_SHAPES = 2
# Callers that embed side by side pause to decode: so long they still count as several.
COMPANY_SECONDS = 0.2


class _Requests:
    """The graph compiled for one photo shape and one mode, and its idle inference requests."""

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

    `mode` "latency" uses every thread for one photo, and gives each photo one thread while several
    callers embed at once: threads that share a photo wait for each other at every layer, the longer
    the more others want the cores. "throughput" always runs several photos side by side. The
    answers are the same bit for bit. `threads` bounds the CPU threads.
    """

    name = "openvino"

    def __init__(self, graph: Path, *, mode: Mode = "latency", threads: int | None = None) -> None:
        use_threads()
        self._core = openvino.Core()
        # Without these, processors with bfloat16 would silently compute in it, and descriptors be
        # rounded to 8 bits before a matrix that is kept in 8 bits.
        self._options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
        }
        if threads is not None:
            self._options["INFERENCE_NUM_THREADS"] = threads
        self._graph = graph
        self._mode = mode
        parts = (graph, graph.with_suffix(".bin"))  # the second holds an IR's weights
        large = sum(part.stat().st_size for part in parts if part.is_file()) > LARGE_GRAPH_BYTES
        self._mode_in_company: Mode = mode if large else "throughput"
        cores = threads or os.cpu_count() or 1
        self._photos: dict[Mode, int] = {"latency": 1, "throughput": cores}
        shapes = MAX_LARGE_SHAPES if large else MAX_SHAPES
        alone, in_company = (self._photos[kind] for kind in (mode, self._mode_in_company))
        self._max_photos = max(shapes * alone, shapes // 2 * in_company)
        self._compiled: OrderedDict[tuple[Mode, tuple[int, ...]], _Requests] = OrderedDict()
        self._callers = 0
        self._company = -math.inf
        self._lock = threading.Lock()
        self.parallel = self._photos[mode]

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embed one photo: (h, w, 3) uint8 RGB at the size the card asks for."""
        use_threads()
        return next(self.stream([(None, pixels)]))[1]

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        """Embed many photos, several at once; results come in the order of `photos`."""
        use_threads()
        running: deque[tuple[Key, _Requests, Any]] = deque()
        with self._lock:
            self._callers += 1
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
            with self._lock:
                self._callers -= 1
            for _, requests, request in running:
                request.wait()
                requests.give(request)

    def _finish(self, key: Key, requests: _Requests, request: Any) -> tuple[Key, Embedding]:
        request.wait()
        outputs = [np.array(tensor.data[0]) for tensor in request.output_tensors]
        requests.give(request)
        return key, Embedding(*outputs)

    def _requests(self, shape: tuple[int, ...]) -> _Requests:
        with self._lock:
            now = time.monotonic()
            if self._callers > 1:
                self._company = now
            mode = self._mode_in_company
            if now - self._company >= COMPANY_SECONDS or not self._can_add(mode, shape):
                mode = self._mode
            requests = self._compiled.get((mode, shape))
            if requests is None:
                requests = self._compiled[mode, shape] = _Requests(self._compile(shape, mode))
                while self._photos_in_flight() > self._max_photos and len(self._compiled) > 1:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end((mode, shape))
            return requests

    def _can_add(self, mode: Mode, shape: tuple[int, ...]) -> bool:
        """Whether a graph is compiled already, or fits in while all others stay."""
        total = self._photos_in_flight() + self._photos[mode]
        return (mode, shape) in self._compiled or total <= self._max_photos

    def _photos_in_flight(self) -> int:
        """How many photos at a time the compiled graphs hold memory for."""
        return sum(self._photos[mode] for mode, _ in self._compiled)

    def _compile(self, shape: tuple[int, ...], mode: Mode) -> Any:
        try:
            model = self._core.read_model(self._graph)
            model.reshape({0: [1, *shape]})
            return self._core.compile_model(
                model, "CPU", self._options | {"PERFORMANCE_HINT": mode.upper()}
            )
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ModelError(
                f"{self._graph} cannot run on a photo of {shape[1]} × {shape[0]} ({reason})."
            ) from error
