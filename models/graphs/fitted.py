"""A graph fitted to what a model takes and gives: a (1, h, w, 3) RGB photo in, one vector out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino
import openvino.opset13 as ops
from openvino import Layout, Type
from openvino.preprocess import PrePostProcessor

from place_search.models.errors import ModelError
from place_search.models.graphs.asked import (
    EXAMPLE,
    Asked,
    Triple,
    parse_normalisation,
    parse_size,
)
from place_search.models.graphs.onnx_file import OnnxFile
from place_search.photos.preprocessing import Preprocessing

_FLOATS = ("f32", "f16", "f64", "bf16")
_ANY_SIZE = "give --size as in 322x322, or --size 'multiple-of 14' for photos in their own shape"


@dataclass(frozen=True, slots=True)
class FittedGraph:
    """A graph that takes `photos` (1, h, w, 3) uint8 RGB, and how they are prepared for it."""

    graph: Any
    preprocessing: Preprocessing
    output: str
    mean: Triple | None
    std: Triple | None


def fit_graph(file: OnnxFile, asked: Asked) -> FittedGraph:
    """Open a graph, choose its output and give it our input.

    Raises:
        ModelError: it takes or gives something else than a photo and one vector, cannot be opened,
            or does not say how photos are prepared for it.
    """
    path = file.path
    graph = _opened(file)
    output, name = _output(graph, asked.output, path)
    if len(graph.inputs) != 1:
        names = ", ".join(_name(port) for port in graph.inputs) or "none"
        raise ModelError(f"{path} takes {len(graph.inputs)} inputs ({names}); one photo is given.")
    graph = openvino.Model([output], graph.get_parameters(), path.stem)
    shape = graph.input(0).get_partial_shape()
    layout = _layout(shape, path)
    asked = asked.completed(file.metadata)
    taken = graph.input(0).get_element_type()
    if taken.get_type_name() not in (*_FLOATS, "u8"):
        raise ModelError(
            f"{path} takes values of type {taken.get_type_name()}; export it for floats or bytes."
        )
    normalises = taken.get_type_name() == "u8"
    if normalises and (asked.mean or asked.std):
        raise ModelError(f"{path} takes bytes 0–255 as they are; leave out --mean and --std.")
    fixed = [shape[layout.index(axis)] for axis in "WH"]
    whole = all(side.is_static for side in fixed)
    lacking = ([] if asked.size or whole else ["--size"]) + [
        f"--{what}"
        for what, text in (("mean", asked.mean), ("std", asked.std))
        if not (text or normalises)
    ]
    if lacking:
        raise _unsaid(path, lacking)
    preprocessing = _preprocessing(path, asked.size, fixed if whole else None)
    mean = std = None
    if not normalises:
        mean, std = parse_normalisation(asked.mean, asked.std)
    single = _single(graph)
    pixels = file.metadata.get("Image.BitmapPixelFormat", "").lower()
    prepared = _prepared(single, layout, mean, std, bgr=pixels.startswith("bgr"))
    return FittedGraph(prepared, preprocessing, name, mean, std)


def normalised(graph: Any) -> Any:
    """The same graph with an output of L2 norm 1."""
    result = graph.get_results()[0].input(0).get_source_output()
    unit = ops.normalize_l2(result, np.array([1], np.int64), 1e-12, "max")
    return _with_names(openvino.Model([unit], graph.get_parameters(), graph.get_name()))


def _opened(file: OnnxFile) -> Any:
    try:
        graph = openvino.Core().read_model(file.path)
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
    """OpenVINO's last line, which says most."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -")]
    return lines[-1][:200].rstrip(".") if lines else type(error).__name__


def _output(graph: Any, wanted: str, path: object) -> tuple[Any, str]:
    named = {_name(port): port for port in graph.outputs}
    if wanted:
        chosen = next((port for port in graph.outputs if wanted in port.get_names()), None)
        if chosen is None:
            raise ModelError(
                f"{path} has no output '{wanted}'; name one of {', '.join(named)} with --output."
            )
        return chosen.get_node().input(0).get_source_output(), wanted
    if len(graph.outputs) != 1:
        raise ModelError(
            f"{path} has {len(graph.outputs)} outputs; say which is the descriptor with --output: "
            f"{' or '.join(named)}."
        )
    [(name, port)] = named.items()
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


def _unsaid(path: object, lacking: list[str]) -> ModelError:
    wanted = []
    if "--size" in lacking:
        wanted.append(_ANY_SIZE)
    if normalisation := [flag for flag in lacking if flag != "--size"]:
        wanted.append(f"give {' and '.join(normalisation)} of its RGB values, as in {EXAMPLE}")
    return ModelError(f"{path} does not say how photos are prepared for it; {'; '.join(wanted)}.")


def _preprocessing(path: object, size: str, fixed: list[Any] | None) -> Preprocessing:
    if fixed is None:
        return parse_size(size)
    width, height = (side.get_length() for side in fixed)
    if size and parse_size(size) != Preprocessing("exact", width, height):
        raise ModelError(
            f"{path} takes photos of {width}x{height} alone; leave out --size, or export it with "
            "free sides."
        )
    return parse_size(f"{width}x{height}")


def _single(graph: Any) -> Any:
    """The graph for one photo at a time; where a batch is built into it, of copies of the photo."""
    port = graph.input(0)
    shape = port.get_partial_shape()
    if shape[0].is_dynamic or shape[0].get_length() == 1:
        return graph
    count = shape[0].get_length()
    names, kind = port.get_names(), port.get_element_type()
    one = [1, *(list(shape)[1:])]
    alone = graph.clone()
    try:
        alone.reshape({0: one})
        given = alone.output(0).get_partial_shape()
        if given.rank.is_dynamic or len(given) != 2 or given[0] == 1:
            return alone
    except RuntimeError:
        pass
    photo = ops.parameter(openvino.PartialShape(one), kind)
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
    """The graph behind our input, with an output of float32."""
    steps = PrePostProcessor(graph)
    own = steps.input(0)
    own.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    own.model().set_layout(Layout(layout))
    if bgr:
        own.preprocess().reverse_channels()
    if mean is not None and std is not None:
        order = -1 if bgr else 1
        # Of bytes; float32 until the graph's own type.
        own.preprocess().convert_element_type(Type.f32)
        own.preprocess().mean([255 * value for value in mean[::order]])
        own.preprocess().scale([255 * value for value in std[::order]])
    steps.output(0).tensor().set_element_type(Type.f32)
    return _with_names(steps.build())


def _with_names(graph: Any) -> Any:
    graph.input(0).get_tensor().set_names({"photos"})
    graph.output(0).get_tensor().set_names({"descriptor"})
    return graph
