"""The graphs that OpenVINO has compiled, each for one photo shape, within what memory allows."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from place_search.core.memory import CEILING, private_bytes, return_freed_memory
from place_search.models.runtimes.base import Mode

Shape: TypeAlias = tuple[int, ...]
"""That of a photo's pixels: (h, w, 3)."""

MAX_GRAPHS = 64
"""More than the shapes that a model resizes photos to; some resize them to any shape."""


class Graph:
    """The graph compiled for one photo shape and one mode, and its inference requests.

    Its workspace holds what it computes for `photos` at once, and is most of what it takes. It can
    be given back while no photo is computed: the next one faults its pages in again, which takes as
    long as computing it does, where compiling takes twenty times as long.
    """

    def __init__(self, compiled: Any, photos: int) -> None:
        self.photos = photos
        self.running = 0
        self.has_workspace = False
        self._compiled = compiled
        self._idle: list[Any] = []

    def take(self) -> Any:
        """A request for one photo."""
        self.running += 1
        self.has_workspace = True
        return self._idle.pop() if self._idle else self._compiled.create_infer_request()

    def give(self, request: Any) -> None:
        """Take a request back that is done."""
        self.running -= 1
        self._idle.append(request)

    def rest(self) -> None:
        """Give the workspace back."""
        self.has_workspace = False
        with suppress(RuntimeError):  # busy after all: it stays
            self._compiled.release_memory()


class CompiledGraphs:
    """Compiled graphs by mode and shape, the one used last at the end. Thread-safe.

    Without a ceiling on the process's memory they hold workspaces for `max_photos` at once; with
    one, as many as it leaves room for. What gives way is what was used longest ago: first
    workspaces, then graphs.
    """

    def __init__(
        self, make: Callable[[Mode, Shape], Any], photos: Mapping[Mode, int], max_photos: int
    ) -> None:
        """`make` compiles; `photos` says how many a graph of each mode computes at once."""
        self.ceiling = CEILING
        self.made = 0
        self._make = make
        self._photos = photos
        self._max_photos = max_photos
        self._graphs: OrderedDict[tuple[Mode, Shape], Graph] = OrderedDict()
        self._lock = threading.Lock()
        self._compiling = threading.Lock()
        self._before: int | None = None
        self._photo_bytes = 0

    def __len__(self) -> int:
        return len(self._graphs)

    def take(self, wanted: Mode, other: Mode, shape: Shape) -> tuple[Graph, Any]:
        """A graph for photos of this shape, and a request for one.

        It is of the mode that is `wanted`; of the `other` where only that is compiled, and there is
        no room for both.
        """
        taken = self._compiled(wanted, other, shape)
        if taken is None:
            # One at a time, and photos of other shapes go on meanwhile.
            with self._compiling:
                taken = self._compiled(wanted, other, shape) or self._compile(wanted, shape)
        return taken

    def give(self, graph: Graph, request: Any) -> None:
        """Take a request back that is done."""
        with self._lock:
            graph.give(request)
            if self._before is not None:
                # The first photo was computed: the most exact measure of what one takes.
                self._photo_bytes = max(0, private_bytes() - self._before) // graph.photos
                self._before = None

    def shrink(self) -> bool:
        """Give back the workspace that was used longest ago, or else a graph."""
        with self._lock:
            return self._shrink()

    def _compiled(self, wanted: Mode, other: Mode, shape: Shape) -> tuple[Graph, Any] | None:
        with self._lock:
            mode = wanted
            if (wanted, shape) not in self._graphs:
                if (other, shape) not in self._graphs or self._has_room(wanted):
                    return None
                mode = other
            graph = self._graphs[mode, shape]
            self._graphs.move_to_end((mode, shape))
            if not graph.has_workspace and self.ceiling.is_set:
                self._make_room(graph.photos * self._photo_bytes, keep=graph)
            return graph, graph.take()

    def _compile(self, mode: Mode, shape: Shape) -> tuple[Graph, Any]:
        photos = self._photos[mode]
        with self._lock:
            if not self._photo_bytes:
                self._before = private_bytes()
            self._make_room(photos * self._photo_bytes)
        graph = Graph(self._make(mode, shape), photos)
        if self.ceiling.is_set:
            return_freed_memory()  # compiling frees more than it keeps
        with self._lock:
            self._graphs[mode, shape] = graph
            self.made += 1
            while not self._fits(0) and len(self._graphs) > 1:
                self._graphs.popitem(last=False)
            return graph, graph.take()

    def _has_room(self, mode: Mode) -> bool:
        """Whether one more graph fits in while all others stay as they are."""
        photos = self._photos[mode]
        return self._fits(photos) and self.ceiling.room(photos * self._photo_bytes)

    def _fits(self, photos: int) -> bool:
        if self.ceiling.is_set:
            return len(self._graphs) <= MAX_GRAPHS
        return photos + sum(graph.photos for graph in self._graphs.values()) <= self._max_photos

    def _make_room(self, wanted: int, *, keep: Graph | None = None) -> None:
        """Shrink until there is room for so many bytes, or nothing but `keep` and what runs."""
        while not self.ceiling.room(wanted) and self._shrink(keep):
            pass

    def _shrink(self, keep: Graph | None = None) -> bool:
        idle = [
            (key, graph)
            for key, graph in self._graphs.items()
            if not graph.running and graph is not keep
        ]
        rested = next((graph for _, graph in idle if graph.has_workspace), None)
        if rested is not None:
            rested.rest()
        elif idle:
            del self._graphs[idle[0][0]], idle[0]
        else:
            return False
        return_freed_memory()  # else it would look as if nothing had been won
        return True
