"""Exports a torch network to an ONNX graph for the other runtimes."""

import warnings
from pathlib import Path

import onnx
import torch

from place_search.models.network import Network
from place_search.photos.preprocessing import MIN_SIDE

OPSET = 18
MAX_SIDE = 16384


def export_onnx(network: Network, path: Path) -> None:
    """Write the graph: `photos` (N, H, W, 3) uint8 to `descriptor` (N, D) and `cells` (N, h, w, C).

    A network without local features has only the first output. N, H and W are free within the
    network's own limits (`photo_size`, `multiple`, `MIN_SIDE`).
    """
    step = network.backbone.multiple
    # Odd sides where allowed: the exporter would make a rule of an example's divisibility.
    height, width = network.photo_size or (243 // step * step, 325 // step * step)
    example = torch.zeros((2, height, width, 3), dtype=torch.uint8)
    shapes = {0: torch.export.Dim("photos")}
    if network.photo_size is None:
        rows = torch.export.Dim("rows", min=MIN_SIDE // step, max=MAX_SIDE // step)
        columns = torch.export.Dim("columns", min=MIN_SIDE // step, max=MAX_SIDE // step)
        shapes |= {1: rows * step, 2: columns * step}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecations
        program = torch.onnx.export(
            network.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=(shapes,),
            input_names=["photos"],
            output_names=["descriptor", "cells"] if network.gives_local else ["descriptor"],
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    program.save(str(path), include_initializers=True)
    graph = onnx.load(path)
    # Removes the stack traces of the exporting machine, which the exporter stores.
    for part in (
        graph,
        graph.graph,
        *graph.graph.node,
        *graph.graph.input,
        *graph.graph.output,
        *graph.graph.value_info,
        *graph.graph.initializer,
    ):
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.save(graph, path)
