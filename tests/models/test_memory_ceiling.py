"""Compiled graphs stay within the memory that they may take, and answer the same."""

import gc
import math
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from place_search.core.memory import MemoryCeiling, return_freed_memory
from place_search.models import Model, open_model
from place_search.models.runtimes.compiled_graphs import CompiledGraphs
from place_search.models.runtimes.openvino_runtime import OpenVinoRuntime
from tests.models.test_runtimes import scene

ALLOWANCE = 60 << 20
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
    ceiling.limit = ceiling.used() + ALLOWANCE
    for shape in shapes * 2:
        model.runtime.embed(scene(*shape))
        assert ceiling.used() < ceiling.limit + SLACK
    assert len(graphs) < graphs.made_count
    assert graphs.made_count > len(shapes)  # some had to be compiled again
    np.testing.assert_array_equal(model.runtime.embed(scene(320, 320)).descriptor, first)


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
