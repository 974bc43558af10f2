"""The graphs that OpenVINO has compiled, each for one photo shape, within what memory allows."""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from statistics import median_low
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from place_search.core.memory import CEILING, private_bytes, return_freed_memory
from place_search.models.runtimes.base import Mode

Shape: TypeAlias = tuple[int, ...]
"""That of a photo's pixels: (h, w, 3)."""

MAX_GRAPHS = 64
"""More than the shapes that a model resizes photos to; some resize them to any shape."""
RECENT_USES = 256
"""Uses that are counted before each count is halved."""
MEASURED_GRAPHS = 9
"""The graphs whose sizes say how large one more will be."""


class Head:
    """The last part of a graph, which is the same for photos of all shapes. Thread-safe."""

    def __init__(self, compiled: Any, weight_bytes: int) -> None:
        self.weight_bytes = weight_bytes
        self._compiled = compiled
        self._idle: list[Any] = []

    def __call__(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """The descriptor of what the first part has pooled, as (1, D)."""
        request = self._idle.pop() if self._idle else self._compiled.create_infer_request()
        request.infer({0: pooled}, share_inputs=True)
        descriptor: NDArray[np.float32] = request.output_tensors[0].data.copy()
        self._idle.append(request)
        return descriptor


class Compiled(NamedTuple):
    """What OpenVINO has compiled for one photo shape; the `head` takes its first output.

    `exported` is what the graph was made of again, if it was.
    """

    graph: Any
    head: Head | None = None
    exported: bytes = b""


class Compiler(Protocol):
    """Compiles one graph for photo shapes."""

    mode: Mode
    """The mode of photos that come alone."""
    mode_in_company: Mode
    """The mode of photos that are computed side by side."""

    @property
    def max_shapes(self) -> int:
        """For how many shapes of photos the graph may be compiled at once."""

    def compile(self, mode: Mode, shape: Shape) -> Compiled:
        """The graph for photos of one shape. Raises `ModelError` where it takes none of it."""

    def keep_exported(self, compiled: Compiled, shape: Shape) -> None:
        """Keep what makes compiling faster, of a graph that is given up."""

    def give_up_exported(self) -> bool:
        """Give up what was kept of graphs; False if there is nothing."""


class Graph:
    """The graph compiled for one photo shape and one mode, and its inference requests.

    A workspace holds what it computes for one photo, and is most of what it takes; it has as many
    as it has computed photos at once, at most `photos`. They can be given back while no photo is
    computed: the next one faults the pages in again, which takes as long as computing it does,
    where compiling takes twenty times as long, and again six times.
    """

    def __init__(self, compiled: Compiled, photos: int) -> None:
        self.compiled = compiled
        self.photos = photos
        self.running = 0
        self.workspaces = 0
        self._idle: list[Any] = []

    def take(self) -> Any:
        """A request for one photo."""
        self.running += 1
        self.workspaces = max(self.workspaces, self.running)
        return self._idle.pop() if self._idle else self.compiled.graph.create_infer_request()

    def results(self, request: Any) -> list[NDArray[np.float32]]:
        """What a request has computed: the descriptor, and local features if the graph has any."""
        request.wait()
        first, *others = (tensor.data for tensor in request.output_tensors)
        if self.compiled.head is not None:
            first = self.compiled.head(first)
        return [np.array(each[0]) for each in (first, *others)]

    def give(self, request: Any) -> None:
        """Take a request back that is done."""
        self.running -= 1
        self._idle.append(request)

    def release_workspaces(self) -> None:
        """Release the memory of all workspaces."""
        self.workspaces = 0
        with suppress(RuntimeError):  # a busy graph keeps its workspaces
            self.compiled.graph.release_memory()


class CompiledGraphs:
    """Compiled graphs by mode and shape. Thread-safe.

    Without a ceiling on the process's memory they are those that the compiler allows; with one, as
    many as it leaves room for. First workspaces give way, then graphs, those first that were used
    least often of late: where photos have more shapes than there is room for, those of the usual
    ones need not be compiled again.
    """

    def __init__(self, compiler: Compiler, photos: Mapping[Mode, int]) -> None:
        """`photos` says how many a graph of each mode computes at once."""
        self.ceiling = CEILING
        self.made_count = 0
        self._compiler = compiler
        self._photos = photos
        self._graphs: dict[tuple[Mode, Shape], Graph] = {}
        self._uses: Counter[tuple[Mode, Shape]] = Counter()
        self._lock = threading.Lock()
        self._compiling = threading.Lock()
        self._bytes_before_first: int | None = None
        self._graph_bytes: deque[int] = deque(maxlen=MEASURED_GRAPHS)
        self._workspace_bytes = 0

    def __len__(self) -> int:
        return len(self._graphs)

    def take(self, shape: Shape, *, in_company: bool) -> tuple[Graph, Any]:
        """A graph for photos of this shape, and a request for one.

        Photos in company share a graph of the mode for that; a photo that is the only one of its
        shape just then makes do with the graph for photos that come alone.
        """
        graph_and_request = self._compiled(shape, in_company)
        if graph_and_request is None:
            # One at a time, and photos of other shapes go on meanwhile.
            with self._compiling:
                graph_and_request = self._compiled(shape, in_company)
                if graph_and_request is None:
                    graph_and_request = self._compile(shape, in_company)
        return graph_and_request

    def give(self, graph: Graph, request: Any) -> None:
        """Take back a request whose photo is computed."""
        with self._lock:
            graph.give(request)
            if self._bytes_before_first is not None:
                self._workspace_bytes = max(0, private_bytes() - self._bytes_before_first)
                self._bytes_before_first = None

    def shrink(self) -> bool:
        """Release the workspaces of the graph that is used least often, or else a graph."""
        with self._lock:
            return self._shrink()

    def _compiled(self, shape: Shape, in_company: bool) -> tuple[Graph, Any] | None:
        alone, shared = self._compiler.mode, self._compiler.mode_in_company
        mode, other_mode = (shared, alone) if in_company else (alone, shared)
        with self._lock:
            key = (mode, shape)
            if key not in self._graphs:
                key = (other_mode, shape)
                if key not in self._graphs:
                    return None
                is_enough = in_company and not self._graphs[key].running
                if not is_enough and self._has_room(mode):
                    return None
            graph = self._graphs[key]
            self._count(key)
            if graph.workspaces == graph.running < graph.photos and self.ceiling.is_set:
                self._make_room(self._workspace_bytes, keep=graph)
            return graph, graph.take()

    def _compile(self, shape: Shape, in_company: bool) -> tuple[Graph, Any]:
        mode = self._compiler.mode
        with self._lock:
            if in_company and (mode, shape) in self._graphs:
                mode = self._compiler.mode_in_company
            self._make_room(self._bytes_of_one_more)
        before = private_bytes()
        compiled = self._compiler.compile(mode, shape)
        if self.ceiling.is_set:
            return_freed_memory()  # compiling frees more than it keeps
        after = private_bytes()
        graph = Graph(compiled, self._photos[mode])
        with self._lock:
            self._graph_bytes.append(after - before)
            if not self.made_count:  # nothing else runs yet: the process grows by this alone
                self._bytes_before_first = after
            while self._graphs and not self._fits(graph.photos):
                self._discard(min(self._graphs, key=self._uses.__getitem__))
            self._graphs[mode, shape] = graph
            self._count((mode, shape))
            self.made_count += 1
            return graph, graph.take()

    def _count(self, key: tuple[Mode, Shape]) -> None:
        """Count a use; older uses count less."""
        self._uses[key] += 1
        if self._uses.total() > RECENT_USES:
            self._uses = Counter({key: uses // 2 for key, uses in self._uses.items() if uses > 1})

    @property
    def _bytes_of_one_more(self) -> int:
        """The bytes that one more graph and its first photo take."""
        # The first one loads OpenVINO, and other threads allocate meanwhile: so it is the median.
        graph_bytes = median_low(self._graph_bytes) if self._graph_bytes else 0
        return max(0, graph_bytes) + self._workspace_bytes

    def _has_room(self, mode: Mode) -> bool:
        """Whether another graph fits without releasing anything."""
        return self._fits(self._photos[mode]) and self.ceiling.room(self._bytes_of_one_more)

    def _fits(self, photos: int) -> bool:
        if self.ceiling.is_set:
            return len(self._graphs) < MAX_GRAPHS
        alone, in_company = (
            self._photos[mode] for mode in (self._compiler.mode, self._compiler.mode_in_company)
        )
        shapes = self._compiler.max_shapes
        most = max(shapes * alone, shapes // 2 * in_company)
        return photos + sum(graph.photos for graph in self._graphs.values()) <= most

    def _make_room(self, size: int, *, keep: Graph | None = None) -> None:
        """Shrink until there is room for `size` bytes, or only `keep` and what runs is left."""
        while not self.ceiling.room(size) and self._shrink(keep):
            pass

    def _shrink(self, keep: Graph | None = None) -> bool:
        idle = [
            key
            for key in sorted(self._graphs, key=self._uses.__getitem__)
            if not self._graphs[key].running and self._graphs[key] is not keep
        ]
        with_workspace = next((key for key in idle if self._graphs[key].workspaces), None)
        if with_workspace is not None:
            self._graphs[with_workspace].release_workspaces()
        elif idle:
            self._discard(idle[0])
        elif not self._compiler.give_up_exported():
            return False
        return_freed_memory()  # else it would look as if nothing had been won
        return True

    def _discard(self, key: tuple[Mode, Shape]) -> None:
        # The lock is held meanwhile, 25 ms once a shape: the graph's memory is needed at once.
        self._compiler.keep_exported(self._graphs.pop(key).compiled, key[1])
