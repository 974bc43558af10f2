"""Graphs that are split where they no longer depend on a photo's size compute what they did."""

from typing import Any

import numpy as np
import openvino
import pytest
from numpy.typing import NDArray
from openvino import opset13

from place_search.models import Model, open_model
from place_search.models.precision import Precision
from place_search.models.runtimes import openvino_runtime
from place_search.models.runtimes.openvino_runtime import MAX_SHAPES, OpenVinoRuntime
from place_search.models.runtimes.split_graph import split_graph
from tests.models.test_runtimes import scene

SIZES = [(320, 320), (352, 288), (480, 320)]
OPTIONS = {"INFERENCE_PRECISION_HINT": "f32"}
OUTPUTS = 100_000


def runtime_of(model: Model) -> OpenVinoRuntime:
    assert isinstance(model.runtime, OpenVinoRuntime)
    return model.runtime


def compute(graph: Any, given: NDArray[Any]) -> list[NDArray[np.float32]]:
    """All outputs of a graph for one input."""
    graph.reshape({0: list(given.shape)})
    compiled = openvino.Core().compile_model(graph, "CPU", OPTIONS)
    return [np.array(value) for value in compiled({0: given}).values()]


def pooling_graph(*, divided: str) -> Any:
    """A graph that sums the pixels of a photo, and makes many numbers of the mean.

    The sum is `divided` by their count "before" or "after" what has the most weights.
    """
    photo = opset13.parameter([-1, -1, -1, 3], np.uint8)
    pixels = opset13.convert(photo, "f32")
    count = opset13.reduce_prod(
        opset13.gather(opset13.shape_of(photo), np.array([1, 2]), np.array(0)), np.array(0)
    )
    count = opset13.convert(count, "f32")
    pooled = opset13.reduce_sum(pixels, np.array([1, 2]))
    if divided == "before":
        pooled = opset13.divide(pooled, count)
    weights = np.random.default_rng(0).normal(size=(3, OUTPUTS)).astype(np.float32)
    made = opset13.matmul(pooled, opset13.constant(weights), False, False)
    if divided == "after":
        made = opset13.divide(made, count)
    return openvino.Model([opset13.result(made)], [photo])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_a_model_gives_the_same_whole_and_split(precision: Precision) -> None:
    """A graph is whole for the first shape, and split for those that come later."""
    later = open_model(precision=precision)
    runtime_of(later).embed(scene(640, 480))
    for size in SIZES:
        whole = runtime_of(open_model(precision=precision)).embed(scene(*size))
        split = runtime_of(later).embed(scene(*size))
        np.testing.assert_array_equal(split.descriptor, whole.descriptor)
        np.testing.assert_array_equal(
            split.require_local_features(), whole.require_local_features()
        )
    graphs = runtime_of(later).graphs._graphs.values()
    assert [graph.compiled.head is None for graph in graphs] == [True, False, False, False]


def test_a_size_that_counts_before_the_weights_is_left_in_the_trunk() -> None:
    split = split_graph(pooling_graph(divided="before"))
    assert split is not None
    assert split.head_bytes == 3 * OUTPUTS * 4
    for width, height in SIZES:
        photo = scene(width, height)[None]
        (expected,) = compute(pooling_graph(divided="before"), photo)
        (pooled,) = compute(split.trunk.clone(), photo)
        assert pooled.shape == (1, 3)
        np.testing.assert_array_equal(compute(split.head.clone(), pooled)[0], expected)


def test_a_graph_whose_weights_meet_the_size_is_not_split() -> None:
    assert split_graph(pooling_graph(divided="after")) is None


@pytest.mark.slow
def test_a_large_graph_that_can_be_split_is_compiled_for_many_shapes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would have been compiled anew for every third shape, as no more than two fit."""
    monkeypatch.setattr(openvino_runtime, "LARGE_GRAPH_BYTES", 1 << 20)
    runtime = runtime_of(open_model(precision="f32"))
    expected = [
        runtime_of(open_model(precision="f32")).embed(scene(*size)).descriptor for size in SIZES
    ]
    for _ in range(2):
        found = [runtime.embed(scene(*size)).descriptor for size in SIZES]
        np.testing.assert_array_equal(found, expected)
    assert runtime.graphs.made_count == len(runtime.graphs) == len(SIZES)


@pytest.mark.slow
def test_the_usual_shape_stays_compiled_among_rare_ones() -> None:
    runtime = runtime_of(open_model())
    for _ in range(3):
        runtime.embed(scene(640, 480))
    for step in range(MAX_SHAPES + 1):
        runtime.embed(scene(320 + 32 * step, 320))
    made = runtime.graphs.made_count
    runtime.embed(scene(640, 480))
    assert runtime.graphs.made_count == made
