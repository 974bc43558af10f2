"""The CPU runtime: OpenVINO runs the model's ONNX graph."""

import math
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from place_search.core.forking import OfOneProcess, use_threads
from place_search.models.errors import ModelError
from place_search.models.runtimes.base import Embedding, Key, Mode
from place_search.models.runtimes.compiled_graphs import (
    Compiled,
    CompiledGraphs,
    Graph,
    Head,
    Shape,
)
from place_search.models.runtimes.split_graph import split_graph

# One compiled graph a photo shape and mode: a graph with free shapes is slower, and some of int8
# crash. Each takes some 13 MB, and a workspace of 20 in int8 and 35 in float32.
MAX_SHAPES = 8
# A graph this large that cannot be split holds hundreds of megabytes of weights for each shape.
LARGE_GRAPH_BYTES = 256 << 20
MAX_LARGE_SHAPES = 2
# What is kept of graphs that are given up: with it, compiling again takes a third of the time.
EXPORTED_BYTES = 24 << 20
MAX_EXPORTED_WEIGHT_BYTES = 4 << 20
# Callers that embed side by side pause to decode: so long they still count as several.
COMPANY_SECONDS = 0.2


class _Compiler:
    """Compiles one graph file for photo shapes.

    It knows nothing of what runs them: whatever OpenVINO has made must be gone before Python ends,
    and a circle of references would live on until then.
    """

    def __init__(self, graph: Path, mode: Mode, threads: int | None) -> None:
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
        self._bytes = sum(part.stat().st_size for part in parts if part.is_file())
        self._is_large = self._bytes > LARGE_GRAPH_BYTES
        self.mode = mode
        self.mode_in_company: Mode = mode if self._is_large else "throughput"
        self._is_first = True
        self._exported: dict[tuple[Shape, bool], bytes] = {}

    @property
    def max_shapes(self) -> int:
        """For how many shapes of photos the graph may be compiled at once."""
        return MAX_LARGE_SHAPES if self._is_large and self._parts is None else MAX_SHAPES

    @cached_property
    def _small_model(self) -> Any:
        """The graph as it was read: those of all shapes share its weights, and its open file."""
        return self._read()

    def _read(self) -> Any:
        return self._core.read_model(self._graph)

    def _whole_model(self) -> Any:
        return self._read() if self._is_large else self._small_model

    @cached_property
    def _parts(self) -> tuple[Any, dict[Mode, Head]] | None:
        """The graph's trunk and its compiled heads; None where it cannot be split."""
        split = split_graph(self._whole_model())
        if split is None:
            return None
        modes = {self.mode, self.mode_in_company}
        heads = {mode: self._compile(split.head, mode) for mode in modes}
        return split.trunk, {mode: Head(head, split.head_bytes) for mode, head in heads.items()}

    def compile(self, mode: Mode, shape: Shape) -> Compiled:
        """The graph for photos of one shape. Raises `ModelError` where it takes none of it."""
        try:
            # Splitting takes a tenth of a second, and most models meet photos of one shape only.
            parts = None if self._is_first and not self._is_large else self._parts
            head = None if parts is None else parts[1][mode]
            compiled = self._import(shape, head, mode)
            if compiled is None:
                model = self._whole_model().clone() if parts is None else parts[0].clone()
                model.reshape({0: [1, *shape]})
                compiled = Compiled(self._compile(model, mode), head)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ModelError(
                f"{self._graph} cannot run on a photo of {shape[1]} × {shape[0]} ({reason})."
            ) from error
        self._is_first = False
        return compiled

    def keep_exported(self, compiled: Compiled, shape: Shape) -> None:
        """Keep what makes compiling faster, of a graph that is given up."""
        weight_bytes = self._bytes - (0 if compiled.head is None else compiled.head.weight_bytes)
        if weight_bytes > MAX_EXPORTED_WEIGHT_BYTES:
            return
        key = shape, compiled.head is not None
        exported = compiled.exported  # OpenVINO cannot read what it exports of an imported graph
        if not exported:
            with suppress(RuntimeError, MemoryError):  # then it is compiled anew
                exported = compiled.graph.export_model().getvalue()
        self._exported.pop(key, None)
        if exported:
            self._exported[key] = exported
        while sum(map(len, self._exported.values())) > EXPORTED_BYTES:
            del self._exported[next(iter(self._exported))]

    def give_up_exported(self) -> bool:
        """Give up what was kept of graphs; False if there is nothing."""
        had_any = bool(self._exported)
        self._exported.clear()
        return had_any

    def _import(self, shape: Shape, head: Head | None, mode: Mode) -> Compiled | None:
        """A graph from what was kept of it; None if nothing was that OpenVINO can read."""
        exported = self._exported.get((shape, head is not None))
        if exported is None:
            return None
        with suppress(RuntimeError):
            graph = self._core.import_model(exported, "CPU", self._options_for(mode))
            return Compiled(graph, head, exported)
        return None

    def _compile(self, model: Any, mode: Mode) -> Any:
        return self._core.compile_model(model, "CPU", self._options_for(mode))

    def _options_for(self, mode: Mode) -> dict[str, Any]:
        return self._options | {"PERFORMANCE_HINT": mode.upper()}


class OpenVinoRuntime(OfOneProcess):
    """Runs a graph on the CPU in float32. Thread-safe.

    `mode` "latency" uses every thread for one photo, and gives each photo one thread while several
    callers embed photos of its shape at once: threads that share a photo wait for each other at
    every layer, the longer the more others want the cores. "throughput" always runs several photos
    side by side. The answers are the same bit for bit. `threads` bounds the CPU threads.
    """

    name = "openvino"

    def __init__(self, graph: Path, *, mode: Mode = "latency", threads: int | None = None) -> None:
        use_threads()
        compiler = _Compiler(graph, mode, threads)
        cores = threads or os.cpu_count() or 1
        photos: dict[Mode, int] = {"latency": 1, "throughput": cores}
        self.graphs = CompiledGraphs(compiler, photos)
        self.graphs.ceiling.holders.add(self.graphs)
        # Further photos would finish no sooner, and each takes a workspace.
        self._cores = threading.BoundedSemaphore(cores)
        self._callers = 0
        self._company = -math.inf
        self._lock = threading.Lock()
        self.parallel = photos[mode]

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embed one photo: (h, w, 3) uint8 RGB at the size the card asks for."""
        use_threads()
        with self._cores:
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
            descriptor, *local = graph.results(request)
        finally:
            self.graphs.give(graph, request)
        return key, Embedding(descriptor, local[0] if local else None)

    def _take(self, shape: Shape) -> tuple[Graph, Any]:
        with self._lock:
            now = time.monotonic()
            if self._callers > 1:
                self._company = now
            in_company = now - self._company < COMPANY_SECONDS
        return self.graphs.take(shape, in_company=in_company)
