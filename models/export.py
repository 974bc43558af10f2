"""Export a torch network to the ONNX graph that the other runtimes serve."""

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

    A network without local features has the first output alone.

    N, H and W are free, as far as the network takes them (`photo_size`, `multiple`, `MIN_SIDE`).
    """
    step = network.backbone.multiple
    # Odd sides, where they may be odd: the exporter takes a divisible example for a rule.
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
    # The exporter notes the exporting machine's stack traces; a graph is only its mathematics.
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
