"""Compiled graphs stay within the memory that they may take, and answer the same."""

import gc
import math
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from place_search.core.memory import MemoryCeiling, return_freed_memory
from place_search.models import Model, open_model
from place_search.models.precision import Precision
from place_search.models.runtimes import compiled_graphs, openvino_runtime
from place_search.models.runtimes.base import Mode
from place_search.models.runtimes.compiled_graphs import Compiled, CompiledGraphs, Shape
from place_search.models.runtimes.openvino_runtime import OpenVinoRuntime, _Compiler
from tests.models.test_runtimes import scene

SLACK = 60 << 20
"""What compiling takes for a moment."""


def graphs_of(model: Model) -> CompiledGraphs:
    """A model's graphs, under no ceiling that a server of another test has set."""
    assert isinstance(model.runtime, OpenVinoRuntime)
    graphs = model.runtime.graphs
    graphs.ceiling = MemoryCeiling()
    return graphs


@pytest.mark.slow
def test_photos_of_many_shapes_stay_below_the_ceiling_on_memory() -> None:
    """Without a ceiling, so many graphs and their workspaces take 220 MB."""
    model = open_model()
    graphs = graphs_of(model)
    ceiling = graphs.ceiling
    first = model.runtime.embed(scene(320, 320)).descriptor
    shapes = [(320 + 32 * step, 320) for step in range(9)]
    gc.collect()  # what tests before left would make room later
    return_freed_memory()
    ceiling.limit = ceiling.used()
    for shape in shapes * 2:
        model.runtime.embed(scene(*shape))
        assert ceiling.used() < ceiling.limit + SLACK
    assert len(graphs) < graphs.made_count
    assert graphs.made_count > len(shapes)  # some had to be compiled again
    np.testing.assert_array_equal(model.runtime.embed(scene(320, 320)).descriptor, first)


class _Kept:
    """A cache and a holder of a ceiling; `freed` is the ceiling's limit once the cache is gone."""

    made_count = 0

    def __init__(self, ceiling: MemoryCeiling, freed: float) -> None:
        self._ceiling, self._freed = ceiling, freed
        self.gone: list[str] = []
        ceiling.caches.add(self)
        ceiling.holders.add(self)
        ceiling.limit = 1

    def __len__(self) -> int:
        return 1

    def forget(self) -> None:
        self.gone.append("cache")
        self._ceiling.limit = self._freed

    def shrink(self) -> bool:
        self.gone.append("graph")
        return False


@pytest.mark.parametrize(("freed", "gone"), [(math.inf, ["cache"]), (1, ["cache", "graph"])])
def test_what_is_kept_of_places_goes_before_graphs(freed: float, gone: list[str]) -> None:
    """A gallery of a million places would else cost each search its graph, for good."""
    ceiling = MemoryCeiling()
    kept = _Kept(ceiling, freed)
    ceiling.enforce()
    assert kept.gone == gone


@pytest.mark.slow
def test_a_workspace_is_given_back_before_a_graph_is() -> None:
    model = open_model()
    graphs = graphs_of(model)
    before = [model.runtime.embed(scene(side, 320)).descriptor for side in (320, 352)]
    while graphs.shrink() and len(graphs) == 2:
        pass
    assert len(graphs) == 1
    assert not any(graph.workspaces for graph in graphs._graphs.values())
    after = [model.runtime.embed(scene(side, 320)).descriptor for side in (320, 352)]
    np.testing.assert_array_equal(before, after)
    assert graphs.made_count == 3


@pytest.mark.slow
def test_a_graph_that_was_given_up_is_not_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    compile_graph = _Compiler._compile

    def compile_and_count(self: _Compiler, *args: Any) -> Any:
        compiled.append(args)
        return compile_graph(self, *args)

    monkeypatch.setattr(_Compiler, "_compile", compile_and_count)
    model = open_model()
    graphs = graphs_of(model)
    rounds, counts = [], []
    for _ in range(3):
        rounds.append([model.runtime.embed(scene(side, 320)).descriptor for side in (320, 352)])
        while len(graphs):
            graphs.shrink()
        counts.append(len(compiled))
    np.testing.assert_array_equal(rounds[1], rounds[0])
    np.testing.assert_array_equal(rounds[2], rounds[0])
    assert graphs.made_count == 6
    assert counts[2] == counts[1]


def compiler_of(model: Model) -> _Compiler:
    compiler = graphs_of(model)._compiler
    assert isinstance(compiler, _Compiler)
    return compiler


def test_a_graph_of_many_weights_is_kept_in_no_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_runtime, "MAX_EXPORTED_WEIGHT_BYTES", 0)
    compiler = compiler_of(open_model())
    compiler.keep_exported(compiler.compile("latency", (320, 320, 3)), (320, 320, 3))
    assert not compiler.give_up_exported()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "f32"])
def test_a_graph_is_read_again_from_the_same_bytes(precision: Precision) -> None:
    """OpenVINO cannot read the graph that it exports of one that it has imported."""
    compiler = compiler_of(open_model(precision=precision))
    shape = (320, 352, 3)
    compiler.compile("latency", (320, 320, 3))  # the first is whole, with more weights
    compiled = compiler.compile("latency", shape)
    assert not compiled.exported
    read = []
    for _ in range(3):
        compiler.keep_exported(compiled, shape)
        compiled = compiler.compile("latency", shape)
        read.append(compiled.exported)
    assert len(read[0]) > 1 << 20
    assert read[2] is read[1] is read[0]


@pytest.mark.slow
def test_what_is_kept_of_graphs_stays_within_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_runtime, "EXPORTED_BYTES", 3 << 20)
    compiler = compiler_of(open_model(precision="int8"))
    compiler.compile("latency", (320, 320, 3))
    shapes = [(height, 320, 3) for height in (320, 352, 384)]
    for shape in shapes:
        compiler.keep_exported(compiler.compile("latency", shape), shape)
    assert [bool(compiler.compile("latency", shape).exported) for shape in shapes] == [0, 1, 1]


def test_what_is_kept_of_graphs_goes_last() -> None:
    model = open_model()
    graphs = graphs_of(model)
    for side in (320, 352):
        model.runtime.embed(scene(side, 320))
    while len(graphs):
        assert graphs.shrink()
    assert graphs.shrink()
    assert not graphs.shrink()
    assert not compiler_of(model).give_up_exported()


@pytest.mark.slow
def test_a_graph_that_cannot_be_read_again_is_compiled() -> None:
    model = open_model()
    compiler = compiler_of(model)
    shape = (320, 352, 3)
    expected = open_model().runtime.embed(scene(352, 320)).descriptor
    model.runtime.embed(scene(320, 320))
    compiler._exported[shape, True] = b"no graph"
    np.testing.assert_array_equal(model.runtime.embed(scene(352, 320)).descriptor, expected)


class SizedCompiler:
    """Its first graph takes 100 bytes, further ones 10 each."""

    mode: Mode = "latency"
    mode_in_company: Mode = "latency"
    max_shapes = 8

    def __init__(self) -> None:
        self.bytes = 0

    def compile(self, mode: Mode, shape: Shape) -> Compiled:
        self.bytes += 10 if self.bytes else 100
        return Compiled(Mock())

    def keep_exported(self, compiled: Compiled, shape: Shape) -> None:
        self.bytes -= 10

    def give_up_exported(self) -> bool:
        return False


class AskedCeiling(MemoryCeiling):
    """It has room, and records for how much it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def room(self, size: float = 0) -> bool:
        self.asked.append(size)
        return True


def test_one_more_graph_is_as_large_as_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one loads OpenVINO, and all gave way to the room for another one of this size."""
    compiler, ceiling = SizedCompiler(), AskedCeiling()
    graphs = CompiledGraphs(compiler, {"latency": 1})
    graphs.ceiling = ceiling
    monkeypatch.setattr(compiled_graphs, "private_bytes", lambda: compiler.bytes)
    for side in (32, 64, 96, 128):
        graphs.give(*graphs.take((side, side, 3), in_company=False))
    assert ceiling.asked[-1] == 10


def test_a_graph_in_use_is_not_taken_away() -> None:
    graphs = graphs_of(open_model())
    graph, request = graphs.take((320, 320, 3), in_company=False)
    assert not graphs.shrink()
    graphs.give(graph, request)
    assert graphs.shrink()
    assert graphs.shrink()
    assert len(graphs) == 0


def test_photos_in_company_use_what_is_compiled_where_there_is_no_room_for_more() -> None:
    graphs = graphs_of(open_model(threads=2))
    graphs.ceiling.limit = 1
    first = graphs.take((320, 320, 3), in_company=False)
    graphs.give(*graphs.take((320, 320, 3), in_company=True))
    assert graphs.made_count == 1
    graphs.ceiling.limit = math.inf
    graphs.give(*graphs.take((320, 320, 3), in_company=True))
    assert graphs.made_count == 2
    graphs.give(*first)


def test_the_only_photo_of_its_shape_takes_one_graph_in_company_too() -> None:
    graphs = graphs_of(open_model(threads=2))
    for width in (320, 352, 320, 352):
        graphs.give(*graphs.take((320, width, 3), in_company=True))
    assert graphs.made_count == 2
    graphs.give(*graphs.take((320, 320, 3), in_company=False))
    assert graphs.made_count == 2


def test_no_more_photos_are_computed_at_once_than_there_are_threads() -> None:
    model = open_model(threads=1)
    graphs = graphs_of(model)
    pixels = scene(320, 320)
    model.runtime.embed(pixels)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: model.runtime.embed(pixels), range(16)))
    assert max(graph.workspaces for graph in graphs._graphs.values()) == 1


def test_what_is_compiled_goes_with_its_model() -> None:
    """In a circle of references it would outlive OpenVINO at the end, which is a crash."""
    model = open_model()
    model.runtime.embed(scene(320, 320))
    compiled = weakref.ref(graphs_of(model))
    gc.disable()
    try:
        del model
        assert compiled() is None
    finally:
        gc.enable()
