"""Turns an ONNX graph into a model folder, after a trial run."""

from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from place_search.core.files import sha256_of
from place_search.models.card import (
    MAX_DIMS,
    QUANTIZED,
    Aggregation,
    ModelCard,
    WeightSource,
    write_card,
)
from place_search.models.errors import ModelError
from place_search.models.graphs.fitted import as_unit_vector, fit_graph, reason_of
from place_search.models.graphs.onnx_file import read_onnx
from place_search.models.graphs.options import GraphOptions
from place_search.models.new_folder import new_folder, require_free
from place_search.models.precision import F32_IR
from place_search.models.runtimes.openvino_runtime import OpenVinoRuntime
from place_search.models.verify import require_telling_apart
from place_search.photos.preprocessing import Preprocessing

FAMILY = "onnx"
_PHOTOS = ((640, 480), (480, 640))
"""Sizes of the photos for the trial run of a graph."""


def import_onnx(
    path: Path,
    out: Path,
    options: GraphOptions | None = None,
    *,
    title: str = "",
    origin: str = "",
    licence: str = "",
) -> ModelCard:
    """Write an ONNX graph that turns a photo into a vector as the model folder `out`.

    Missing `options` are read from the graph's metadata. The graph is run on photos before the
    folder appears; its descriptors are normalised to the L2 norm 1.

    Raises:
        ModelError: `out` exists, or the graph cannot be used.
    """
    require_free(out)
    file = read_onnx(path)
    fitted = fit_graph(file, options or GraphOptions())
    descriptors = _trial_descriptors(path, fitted.graph, fitted.preprocessing)
    graph = as_unit_vector(fitted.graph)
    with new_folder(out) as scratch:
        openvino.save_model(graph, scratch / F32_IR[0], compress_to_fp16=False)
        _check_written(path, scratch, fitted.preprocessing, descriptors[0])
        parameters: dict[str, Any] = {"output": fitted.output}
        if fitted.mean is not None and fitted.std is not None:
            parameters |= {"mean": list(fitted.mean), "std": list(fitted.std)}
        if fitted.is_quantized:
            parameters[QUANTIZED] = True
        licence = licence or "unknown"
        card = ModelCard(
            id=out.name,
            title=title or f"{path.stem}, an ONNX graph",
            family=FAMILY,
            backbone=FAMILY,
            aggregation=Aggregation(FAMILY, parameters),
            local_features=None,
            dims=descriptors.shape[1],
            licence=licence,
            preprocessing=fitted.preprocessing,
            files={name: sha256_of(scratch / name) for name in F32_IR},
            sources=(WeightSource("ONNX graph", origin or path.name, licence, sha256_of(path)),),
        )
        for name in F32_IR:
            (scratch / name).chmod(0o644)
        write_card(card, scratch)
    return card


def _photos(preprocessing: Preprocessing) -> list[NDArray[np.uint8]]:
    """Noise and a gradient, at the resized sizes of photos in both orientations."""
    random = np.random.default_rng(0)
    photos = []
    for width, height in _PHOTOS:
        columns, rows = preprocessing.size(width, height)
        photos.append(random.integers(0, 256, (rows, columns, 3), dtype=np.uint8))
        slope = np.linspace(0, 255, columns).astype(np.uint8)
        photos.append(np.broadcast_to(slope[None, :, None], (rows, columns, 3)).copy())
    return photos


def _trial_descriptors(path: Path, graph: Any, preprocessing: Preprocessing) -> NDArray[np.float64]:
    """The descriptors of some photos, (n, D), of any L2 norm.

    Raises:
        ModelError: the graph cannot run on a photo, gives no finite vector, or gives the same
            vector for all photos.
    """
    rows, compiled, shape = [], None, None
    for pixels in _photos(preprocessing):
        try:
            if compiled is None or pixels.shape != shape:
                shape = pixels.shape
                single = graph.clone()
                single.reshape({0: [1, *shape]})
                options = {"INFERENCE_PRECISION_HINT": "f32"}
                compiled = openvino.Core().compile_model(single, "CPU", options)
            output = np.array(compiled([pixels[None]])[0])
        except RuntimeError as error:
            raise ModelError(
                f"{path} cannot run on a photo of {pixels.shape[1]} × {pixels.shape[0]} "
                f"({reason_of(error)}); give the --size that it was made for."
            ) from None
        if not 2 <= output.size <= MAX_DIMS or output.size > max(output.shape):
            words = " × ".join(map(str, output.shape)) or "a single number"
            raise ModelError(
                f"{path} gives {words} for a photo; it must give one vector of 2 to {MAX_DIMS} "
                "numbers: name that output with --output, or export it."
            )
        if not np.isfinite(output).all():
            raise ModelError(
                f"{path} gives values that are no finite numbers; check --mean and --std, or "
                "export it in float32."
            )
        rows.append(output.ravel())
    if len({row.size for row in rows}) > 1:
        raise ModelError(
            f"{path} gives vectors of {rows[0].size} and {rows[-1].size} numbers, by the size of "
            "the photo; give one --size as in 322x322."
        )
    descriptors = np.stack(rows).astype(np.float64)
    require_telling_apart(path, descriptors)
    return descriptors


def _check_written(
    path: Path, folder: Path, preprocessing: Preprocessing, expected: NDArray[np.float64]
) -> None:
    descriptor = OpenVinoRuntime(folder / F32_IR[0]).embed(_photos(preprocessing)[0]).descriptor
    if not float(descriptor @ expected) >= 0.9999 * float(np.linalg.norm(expected)):
        raise ModelError(
            f"{path} gives another vector for the same photo once it is written; export it again, "
            "without random parts such as dropout."
        )
