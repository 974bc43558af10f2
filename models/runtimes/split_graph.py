"""A graph in two parts, of which only the first depends on the size of the photo.

A model pools the cells of a photo, of which there are more or fewer, into numbers whose count is
fixed. What follows, such as a whitening, can be compiled once for photos of all sizes. It holds
most of the weights of a NetVLAD model.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import openvino
import openvino.opset13 as ops
from openvino.passes import ConstantFolding, Manager

LEAST_BYTES = 1 << 20
"""A head with fewer bytes of weights is not worth a second call for each photo."""
WEIGHT_BYTES = 4096
"""A constant of this size is a weight, and no part of the computation of a shape."""

Nodes: TypeAlias = Mapping[str, Any]
"""The operations of a graph by their names, each after those whose outputs it takes."""


class SplitGraph(NamedTuple):
    """Two graphs that do together what one did.

    The `trunk` takes a photo of any size, and gives pooled numbers in place of the descriptor. The
    `head` makes the descriptor of them; its weights take `head_bytes`.
    """

    trunk: Any
    head: Any
    head_bytes: int


def split_graph(model: Any) -> SplitGraph | None:
    """Split a graph where no shape depends on the size of the photo any more.

    Returns None where the weights that come after take less than `LEAST_BYTES`, and for a graph
    that takes photos of its own size alone.
    """
    try:
        nodes, photo, descriptor = _nodes_for_any_size(model.clone())
    except RuntimeError:
        return None
    cut = _first_fixed(nodes, photo, descriptor)
    if cut is None:
        return None
    after = _before(nodes, descriptor, cut)
    head_bytes = sum(_bytes(nodes[name]) for name in after if _is(nodes[name], "Parameter"))
    if head_bytes < LEAST_BYTES:
        return None
    return SplitGraph(
        _trunk(model.clone(), nodes[cut]), _head(model.clone(), nodes[cut]), head_bytes
    )


def _nodes_for_any_size(model: Any) -> tuple[Nodes, str, str]:
    """The operations of a graph, with the names of the photo and of the descriptor among them.

    Shapes that do not depend on the photo's size are constants, weights are further inputs.
    """
    _take_any_size(model)
    for node in model.get_ordered_ops():
        if _is(node, "Constant") and _bytes(node) >= WEIGHT_BYTES:  # else it would be computed with
            weights = ops.parameter(node.get_output_shape(0), node.get_output_element_type(0))
            _replace(node.output(0), weights.output(0))
            model.add_parameters([weights])
    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(model)
    nodes = {node.get_name(): node for node in model.get_ordered_ops()}
    return nodes, model.inputs[0].get_node().get_name(), model.outputs[0].get_node().get_name()


def _first_fixed(nodes: Nodes, photo: str, descriptor: str) -> str | None:
    """The first operation of a fixed shape that all paths from the photo to the descriptor pass."""
    of_photo = {photo}
    for name, node in nodes.items():
        if not of_photo.isdisjoint(_sources(node)):
            of_photo.add(name)
    on_the_way = of_photo & _before(nodes, descriptor)
    between = {name: nodes[name] for name in nodes if name in on_the_way}
    uses = Counter(source for node in between.values() for source in _sources(node))
    needed: set[str] = set()
    for name, node in between.items():
        uses.subtract(_sources(node))
        needed = {name, *(source for source in needed if uses[source] > 0)}
        is_fixed = node.get_output_size() == 1 and node.get_output_partial_shape(0).is_static
        if is_fixed and needed == {name}:
            return name
    return None


def _before(nodes: Nodes, last: str, cut: str | None = None) -> set[str]:
    """The operations from which `last` is computed, those from which `cut` is left out."""
    found = {last}
    waiting = [last]
    while waiting:
        new = set(_sources(nodes[waiting.pop()])) - found - {cut}
        found |= new
        waiting += new
    return found


def _trunk(model: Any, cut: Any) -> Any:
    """What a graph computes up to an operation, and all that it gives beside the descriptor."""
    outputs = [_same(model, cut).output(0)]
    outputs += [output.get_node().input_value(0) for output in model.outputs[1:]]
    return openvino.Model(list(map(ops.result, outputs)), model.get_parameters()).clone()


def _head(model: Any, cut: Any) -> Any:
    """What a graph makes of the output of an operation."""
    _take_any_size(model)
    for node in model.get_ordered_ops():
        if _is(node, "ShapeOf"):  # the head takes nothing of these but what is fixed
            sizes = [
                size.get_length() if size.is_static else 0
                for size in node.get_input_partial_shape(0)
            ]
            kind = node.get_output_element_type(0).to_dtype()
            _replace(node.output(0), ops.constant(np.array(sizes, kind)).output(0))
    pooled = ops.parameter(cut.get_output_shape(0), cut.get_output_element_type(0))
    _replace(_same(model, cut).output(0), pooled.output(0))
    descriptor = model.outputs[0].get_node().input_value(0)
    return openvino.Model([ops.result(descriptor)], [pooled]).clone()


def _take_any_size(model: Any) -> None:
    """Let a graph take one photo, whose size is not known."""
    model.reshape({0: [1, -1, -1, model.inputs[0].get_partial_shape()[3]]})


def _replace(output: Any, other: Any) -> None:
    for taker in output.get_target_inputs():
        taker.replace_source_output(other)


def _same(model: Any, node: Any) -> Any:
    """An operation in a copy of its graph."""
    name = node.get_friendly_name()
    return next(other for other in model.get_ordered_ops() if other.get_friendly_name() == name)


def _sources(node: Any) -> list[str]:
    return [value.get_node().get_name() for value in node.input_values()]


def _is(node: Any, kind: str) -> bool:
    return bool(node.get_type_name() == kind)


def _bytes(node: Any) -> int:
    numbers = math.prod(node.get_output_shape(0))
    return int(numbers * node.get_output_element_type(0).bitwidth) // 8
