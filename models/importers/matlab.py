"""NetVLAD's MATLAB release, in the struct export that hloc reads (Arandjelović et al. 2016)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import mat_struct

from place_search.core.files import open_regular
from place_search.models.backbones.vgg16 import CONVOLUTIONS
from place_search.models.errors import ModelError
from place_search.models.network import load_backbone
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.tensors import Tensors, Weights, assemble, require_dims
from place_search.photos.preprocessing import Preprocessing

FAMILY = "NetVLAD (MATLAB)"
_POOL, _WHITENING = 30, 33
"""Numbers of the layers `vlad` and `WPCA`; VGG-16's layers have torchvision's numbers."""


def matches(file: WeightFile) -> bool:
    """Whether a file is a MATLAB file."""
    return file.start.startswith(b"MATLAB ")


def read(file: WeightFile) -> Weights:
    """Build the network; the descriptor is reordered cluster by cluster.

    Raises:
        ModelError: a file of MATLAB classes, a damaged file, or a file of another network.
    """
    path = file.path
    net = _load(path)
    layers: Any = getattr(net, "layers", None)
    if not isinstance(layers, np.ndarray) or layers.ndim != 1 or len(layers) <= _POOL:
        raise _unknown(path, "has no net.layers of VGG-16 and NetVLAD")
    if not all(isinstance(layer, mat_struct) for layer in layers):
        raise _class_file(path)
    table: dict[str, torch.Tensor] = {}
    for number in (*CONVOLUTIONS, _POOL, *([_WHITENING] if len(layers) > _WHITENING else [])):
        weights = np.atleast_1d(np.asarray(getattr(layers[number], "weights", []), dtype=object))
        for position, values in enumerate(weights):
            if isinstance(values, np.ndarray) and values.dtype.kind == "f":
                table[f"{number}.{position}"] = torch.from_numpy(np.array(values, np.float32))
    tensors = Tensors(path, FAMILY, table)
    backbone = load_backbone("vgg16")()
    state = {}
    for name, parameter in backbone.get_submodule("layers").state_dict().items():
        convolution, kind = name.split(".")
        if kind == "bias":
            state[name] = tensors.take(f"{convolution}.1", parameter.shape)
        else:  # (H, W, IN, OUT)
            outputs, inputs, height, width = parameter.shape
            kernel = tensors.take(f"{convolution}.0", (height, width, inputs, outputs))
            state[name] = kernel.permute(3, 2, 0, 1)
    backbone.get_submodule("layers").load_state_dict(state)
    assignment = tensors.take(f"{_POOL}.0", (backbone.channels, None)).T
    clusters = len(assignment)
    require_dims(path, backbone.channels * clusters)
    # Stored with the opposite sign, as the term that is added to a local feature.
    centroids = -tensors.take(f"{_POOL}.1", (backbone.channels, clusters)).T
    whitening = None
    if f"{_WHITENING}.0" in tensors:
        dims = backbone.channels * clusters
        matrix = tensors.take(f"{_WHITENING}.0", (dims, None)).T
        offset = tensors.take(f"{_WHITENING}.1", (len(matrix),))
        # MATLAB flattens channel by channel: column d · K + k becomes k · C + d.
        ordered = matrix.reshape(-1, backbone.channels, clusters).transpose(1, 2)
        whitening = ordered.reshape(len(matrix), dims), offset
    tensors.finish()
    network = assemble(
        backbone,
        assignment,
        centroids,
        whitening=whitening,
        pixel_mean=_average(path, net),
        pixel_scale=(1.0, 1.0, 1.0),
        cell_step=2,
    )
    return Weights(FAMILY, "vgg16", network, Preprocessing("longest", 1024, 768), "MIT")


def _load(path: Path) -> Any:
    with open_regular(path) as stream:
        if stream.read(10) == b"MATLAB 7.3":
            raise _unknown(path, "is in MATLAB's format 7.3")
    try:
        table = loadmat(path, struct_as_record=False, squeeze_me=True)
    except Exception as error:
        if "class" in str(error).lower() or "opaque" in str(error).lower():
            raise _class_file(path) from None
        # SciPy raises zlib.error, ValueError, TypeError, … on cut and damaged files.
        raise ModelError(
            f"{path} is a MATLAB file that is cut short or damaged; get it again from its "
            "publisher."
        ) from None
    net = table.get("net")
    if net is None and any(type(value).__name__ == "MatlabOpaque" for value in table.values()):
        raise _class_file(path)
    if net is not None and not isinstance(net, mat_struct):
        raise _class_file(path)
    return net


def _average(path: Path, net: Any) -> Sequence[float]:
    try:
        image = net.meta.normalization.averageImage
        pixels: NDArray[np.float64] = np.asarray(image, np.float64).reshape(-1, 3)
    except (AttributeError, TypeError, ValueError):
        raise _unknown(path, "has no net.meta.normalization.averageImage") from None
    return [float(value) for value in pixels[0]]


def _class_file(path: Path) -> ModelError:
    return ModelError(
        f"{path} stores its network as objects of MATLAB classes, which only MATLAB can read; get "
        "the struct export instead (Pitts30K_struct.mat or TokyoTM_struct.mat, "
        "`place-search weights list`)."
    )


def _unknown(path: Path, fault: str) -> ModelError:
    return ModelError(
        f"{path} is a MATLAB file that {fault}; supported is the struct export of NetVLAD "
        "(Pitts30K_struct.mat, TokyoTM_struct.mat)."
    )
