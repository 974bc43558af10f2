"""Fits a graph to a model's input, a (1, h, w, 3) RGB photo, and output, a vector."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino
import openvino.opset13 as ops
from openvino import Layout, Type
from openvino.preprocess import PrePostProcessor

from place_search.models.errors import ModelError
from place_search.models.graphs.onnx_file import OnnxFile, no_graph
from place_search.models.graphs.options import (
    EXAMPLE,
    GraphOptions,
    Triple,
    parse_normalisation,
    parse_size,
)
from place_search.photos.preprocessing import Preprocessing

_FLOATS = ("f32", "f16", "f64", "bf16")
_ANY_SIZE = "give --size as in 322x322, or --size 'multiple-of 14' for photos in their own shape"


@dataclass(frozen=True, slots=True)
class FittedGraph:
    """A graph that takes `photos` (1, h, w, 3) uint8 RGB, and their preprocessing."""

    graph: Any
    preprocessing: Preprocessing
    output: str
    mean: Triple | None
    std: Triple | None

    @property
    def is_quantized(self) -> bool:
        """Whether the graph computes in int8, as one of QuantizeLinear and DequantizeLinear."""
        return any(op.get_type_name() == "FakeQuantize" for op in self.graph.get_ops())


def fit_graph(file: OnnxFile, options: GraphOptions) -> FittedGraph:
    """Open a graph, choose its output and adapt its input.

    Raises:
        ModelError: the graph does not map a photo to a vector, cannot be opened, or the
            preprocessing of its photos is not known.
    """
    path = file.path
    graph = _opened(file)
    output, name = _output(graph, options.output, path)
    if len(graph.inputs) != 1:
        names = ", ".join(_name(port) for port in graph.inputs) or "none"
        raise ModelError(f"{path} takes {len(graph.inputs)} inputs ({names}); one photo is given.")
    graph = openvino.Model([output], graph.get_parameters(), path.stem)
    shape = graph.input(0).get_partial_shape()
    layout = _layout(shape, path)
    kind = graph.input(0).get_element_type()
    if kind.get_type_name() not in (*_FLOATS, "u8"):
        raise ModelError(
            f"{path} takes values of type {kind.get_type_name()}; export it for floats or bytes."
        )
    normalises = kind.get_type_name() == "u8"
    if normalises and (options.mean or options.std):
        raise ModelError(f"{path} takes bytes 0–255 as they are; leave out --mean and --std.")
    fixed = [shape[layout.index(axis)] for axis in "WH"]
    is_fixed = all(side.is_static for side in fixed)
    completed = options.completed(file.metadata)
    missing = ([] if completed.size or is_fixed else ["--size"]) + [
        f"--{flag}"
        for flag, text in (("mean", completed.mean), ("std", completed.std))
        if not (text or normalises)
    ]
    if missing:
        raise _missing_options(path, missing)
    preprocessing = (
        _fixed_size(path, options.size, fixed) if is_fixed else parse_size(completed.size)
    )
    mean = std = None
    if not normalises:
        mean, std = parse_normalisation(completed.mean, completed.std)
    single = _single(graph)
    prepared = _prepared(single, layout, mean, std, bgr=completed.channels == "bgr")
    return FittedGraph(prepared, preprocessing, name, mean, std)


def as_unit_vector(graph: Any) -> Any:
    """The graph with its output as one row of L2 norm 1; zeros alone become NaN."""
    result = graph.get_results()[0].input(0).get_source_output()
    row = ops.reshape(result, np.array([1, -1], np.int64), special_zero=False)
    axis = np.array([1], np.int64)
    # After this the squares neither overflow nor vanish.
    scaled = ops.divide(row, ops.reduce_l1(row, axis, keep_dims=True))
    unit = ops.divide(scaled, ops.reduce_l2(scaled, axis, keep_dims=True))
    return _with_names(openvino.Model([unit], graph.get_parameters(), graph.get_name()))


def _opened(file: OnnxFile) -> Any:
    try:
        graph = openvino.Core().read_model(file.path)
    except UnicodeDecodeError:  # the text of an error quotes a damaged name
        raise no_graph(file.path) from None
    except RuntimeError as error:
        if file.custom:
            raise ModelError(
                f"{file.path} uses operators that ONNX does not define ({', '.join(file.custom)}); "
                "export it with standard operators alone."
            ) from None
        raise ModelError(
            f"{file.path} cannot be opened ({reason_of(error)}); export it again with standard "
            "operators."
        ) from None
    return graph


def reason_of(error: Exception) -> str:
    """The last line of OpenVINO's message, which usually holds the reason."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -")]
    return lines[-1][:200].rstrip(".") if lines else type(error).__name__


def _output(graph: Any, output_name: str, path: object) -> tuple[Any, str]:
    ports = {_name(port): port for port in graph.outputs}
    if output_name:
        port = next((port for port in graph.outputs if output_name in port.get_names()), None)
        if port is None:
            raise ModelError(
                f"{path} has no output '{output_name}'; name one of {', '.join(ports)} with "
                "--output."
            )
        return port.get_node().input(0).get_source_output(), output_name
    if len(graph.outputs) != 1:
        raise ModelError(
            f"{path} has {len(graph.outputs)} outputs; say which is the descriptor with --output: "
            f"{' or '.join(ports)}."
        )
    [(name, port)] = ports.items()
    return port.get_node().input(0).get_source_output(), name


def _name(port: Any) -> str:
    return str(min(port.get_names(), default="unnamed"))


def _layout(shape: Any, path: object) -> str:
    if shape.rank.is_static and len(shape) == 4:
        channels = {axis: shape[axis] for axis in (1, 3)}
        if channels[1] == 3:
            return "NCHW"
        if channels[3] == 3:
            return "NHWC"
        if channels[1].is_dynamic:
            return "NCHW"
    raise ModelError(
        f"{path} takes {_in_words(shape)}; it must take RGB photos, N × 3 × H × W or N × H × W × 3."
    )


def _in_words(shape: Any) -> str:
    if shape.rank.is_dynamic:
        return "anything"
    lengths = [str(side.get_length()) if side.is_static else "?" for side in shape]
    return " × ".join(lengths) or "a single number"


def _missing_options(path: object, missing: list[str]) -> ModelError:
    remedies = []
    if "--size" in missing:
        remedies.append(_ANY_SIZE)
    if normalisation := [flag for flag in missing if flag != "--size"]:
        remedies.append(f"give {' and '.join(normalisation)} of its RGB values, as in {EXAMPLE}")
    return ModelError(f"{path} does not say how photos are prepared for it; {'; '.join(remedies)}.")


def _fixed_size(path: object, asked: str, sides: list[Any]) -> Preprocessing:
    """The preprocessing of a graph with fixed sides, whatever its metadata says."""
    width, height = (side.get_length() for side in sides)
    if asked and parse_size(asked) != Preprocessing("exact", width, height):
        raise ModelError(
            f"{path} takes photos of {width}x{height} alone; leave out --size, or export it with "
            "free sides."
        )
    return parse_size(f"{width}x{height}")


def _single(graph: Any) -> Any:
    """The graph for one photo; if a batch size is built in, the photo is copied to fill it."""
    port = graph.input(0)
    shape = port.get_partial_shape()
    if shape[0].is_dynamic or shape[0].get_length() == 1:
        return graph
    count = shape[0].get_length()
    names, kind = port.get_names(), port.get_element_type()
    single_shape = [1, *(list(shape)[1:])]
    alone = graph.clone()
    try:
        alone.reshape({0: single_shape})
        output_shape = alone.output(0).get_partial_shape()
        if output_shape.rank.is_dynamic or len(output_shape) != 2 or output_shape[0] == 1:
            return alone
    except RuntimeError:
        pass
    photo = ops.parameter(openvino.PartialShape(single_shape), kind)
    photo.output(0).get_tensor().set_names(names)
    copies = ops.concat([photo] * count, 0)
    for target in port.get_target_inputs():
        target.replace_source_output(copies.output(0))
    result = graph.get_results()[0].input(0).get_source_output()
    first = ops.gather(result, np.array([0], np.int64), np.array(0, np.int64))
    return openvino.Model([first], [photo], graph.get_name())


def _prepared(
    graph: Any, layout: str, mean: Triple | None, std: Triple | None, *, bgr: bool
) -> Any:
    """The graph with a model's input, and with an output of float32."""
    steps = PrePostProcessor(graph)
    own = steps.input(0)
    own.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    own.model().set_layout(Layout(layout))
    if bgr:
        own.preprocess().reverse_channels()
    if mean is not None and std is not None:
        order = -1 if bgr else 1
        # Mean and scale of values 0–255, applied in float32 before the graph's own type.
        own.preprocess().convert_element_type(Type.f32)
        own.preprocess().mean([255 * value for value in mean[::order]])
        own.preprocess().scale([255 * value for value in std[::order]])
    steps.output(0).tensor().set_element_type(Type.f32)
    return _with_names(steps.build())


def _with_names(graph: Any) -> Any:
    graph.input(0).get_tensor().set_names({"photos"})
    graph.output(0).get_tensor().set_names({"descriptor"})
    return graph
