"""The CPU runtime: OpenVINO runs the model's ONNX graph."""

import math
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from place_search.core.forking import use_threads
from place_search.models.errors import ModelError
from place_search.models.runtimes.base import Embedding, Key, Mode
from place_search.models.runtimes.compiled_graphs import CompiledGraphs, Graph, Shape

# One compiled graph a photo shape and mode: a graph with free shapes is a third slower, and some
# of int8 crash. Each takes 35 MB in int8 and 50 in float32, half of which is its workspace.
MAX_SHAPES = 8
# A graph this large holds a whitening matrix of hundreds of megabytes, once for each shape.
LARGE_GRAPH_BYTES = 256 << 20
MAX_LARGE_SHAPES = 2
# Callers that embed side by side pause to decode: so long they still count as several.
COMPANY_SECONDS = 0.2


class _Compiler:
    """Compiles one graph file for photo shapes.

    It knows nothing of what runs them: whatever OpenVINO has made must be gone before Python ends,
    and a circle of references would live on until then.
    """

    def __init__(self, graph: Path, threads: int | None) -> None:
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
        parts = (graph, graph.with_suffix(".bin"))  # the second holds an IR's weights
        size = sum(part.stat().st_size for part in parts if part.is_file())
        self.is_large = size > LARGE_GRAPH_BYTES

    @cached_property
    def _small_model(self) -> Any:
        """The graph as it was read: those of all shapes share its weights, and its open file."""
        return self._read()

    def _read(self) -> Any:
        return self._core.read_model(self._graph)

    def compile(self, mode: Mode, shape: Shape) -> Any:
        """The graph for photos of one shape. Raises `ModelError` where it takes none of it."""
        try:
            model = self._read() if self.is_large else deepcopy(self._small_model)
            model.reshape({0: [1, *shape]})
            return self._core.compile_model(
                model, "CPU", self._options | {"PERFORMANCE_HINT": mode.upper()}
            )
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ModelError(
                f"{self._graph} cannot run on a photo of {shape[1]} × {shape[0]} ({reason})."
            ) from error


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
        compiler = _Compiler(graph, threads)
        large = compiler.is_large
        self._mode = mode
        self._mode_in_company: Mode = mode if large else "throughput"
        cores = threads or os.cpu_count() or 1
        photos: dict[Mode, int] = {"latency": 1, "throughput": cores}
        shapes = MAX_LARGE_SHAPES if large else MAX_SHAPES
        alone, in_company = (photos[kind] for kind in (mode, self._mode_in_company))
        self.graphs = CompiledGraphs(
            compiler.compile, photos, max(shapes * alone, shapes // 2 * in_company)
        )
        self.graphs.ceiling.holders.add(self.graphs)
        self._callers = 0
        self._company = -math.inf
        self._lock = threading.Lock()
        self.parallel = photos[mode]

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embed one photo: (h, w, 3) uint8 RGB at the size the card asks for."""
        use_threads()
        return next(self.stream([(None, pixels)]))[1]

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        """Embed many photos, several at once; results come in the order of `photos`."""
        use_threads()
        running: deque[tuple[Key, Graph, Any]] = deque()
        with self._lock:
            self._callers += 1
        try:
            for key, pixels in photos:
                graph, request = self._take(pixels.shape)
                request.start_async({0: pixels[None]}, share_inputs=False)
                running.append((key, graph, request))
                if len(running) > self.parallel:
                    yield self._finish(*running.popleft())
            while running:
                yield self._finish(*running.popleft())
        finally:
            with self._lock:
                self._callers -= 1
            for _, graph, request in running:
                request.wait()
                self.graphs.give(graph, request)

    def _finish(self, key: Key, graph: Graph, request: Any) -> tuple[Key, Embedding]:
        try:
            request.wait()
            descriptor, *local = (np.array(tensor.data[0]) for tensor in request.output_tensors)
        finally:
            self.graphs.give(graph, request)
        return key, Embedding(descriptor, local[0] if local else None)

    def _take(self, shape: Shape) -> tuple[Graph, Any]:
        with self._lock:
            now = time.monotonic()
            if self._callers > 1:
                self._company = now
            in_company = now - self._company < COMPANY_SECONDS
        if in_company:
            return self.graphs.take(self._mode_in_company, self._mode, shape)
        return self.graphs.take(self._mode, self._mode_in_company, shape)
