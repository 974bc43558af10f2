"""Recognises the family of a weight file, and reads it."""

import zipfile
from pathlib import Path
from typing import Any

from place_search.core.errors import shell_command
from place_search.core.plugins import load_part, part_names
from place_search.models.errors import ModelError
from place_search.models.weight_files import AS_GRAPH, require_file
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.dinov2 import dinov2_backbone
from place_search.models.weight_files.imagenet import torchvision_backbones
from place_search.models.weight_files.tensors import Weights, first_names, require_dims

IMPORTERS = "place_search.models.importers"


def supported_families() -> tuple[str, ...]:
    """Names of the families that can be read, besides place-search's own model folders."""
    return tuple(importer.FAMILY for importer in _importers())


def _importers() -> list[Any]:
    return [load_part(IMPORTERS, name) for name in part_names(IMPORTERS)]


def read_weights(path: Path) -> Weights:
    """Read a weight file of any supported family.

    Raises:
        ModelError: a file that is missing, damaged, would run code, or is of no supported family.
    """
    require_file(path)
    file = WeightFile(path)
    if path.suffix == ".whl" and zipfile.is_zipfile(path):
        raise _unknown(path, "a Python package")
    for importer in _importers():
        if importer.matches(file):
            weights: Weights = importer.read(file)
            require_dims(path, weights.network.dims)
            return weights
    if file.is_safetensors:
        raise _unknown(path, "a safetensors file of no family, and without a card")
    if not file.is_checkpoint:
        raise _unknown(path, "neither a checkpoint of torch nor a MATLAB file")
    state = file.state
    backbone = next(iter(torchvision_backbones(state)), dinov2_backbone(state))
    if backbone is not None:
        fit = ("cluster", "PHOTOS", "--backbone", backbone, "--backbone-weights", path)
        raise ModelError(
            f"{path} holds the backbone {backbone} without a NetVLAD layer; fit one with "
            f"{shell_command(*fit, '--out', 'MODEL')}."
        )
    raise _unknown(path, f"a checkpoint of none of the supported families ({first_names(state)})")


def _unknown(path: Path, kind: str) -> ModelError:
    return ModelError(
        f"{path} is {kind}; supported are {', '.join(supported_families())}, and model folders of "
        f"place-search; or {AS_GRAPH}."
    )
