"""Find out which family a file is of, and read it."""

import zipfile
from pathlib import Path
from types import ModuleType

from place_search.models.errors import ModelError
from place_search.models.importers import deep_vg, matlab, openibl, patch_netvlad, pytorch_netvlad
from place_search.models.importers.checkpoint import load_checkpoint, state_of
from place_search.models.importers.imagenet import torchvision_backbone
from place_search.models.importers.tensors import Tensors, Weights, some

# Patch-NetVLAD's have pytorch-NetVlad's names too.
CHECKPOINTS: tuple[ModuleType, ...] = (patch_netvlad, pytorch_netvlad, openibl, deep_vg)
SUPPORTED = (*(family.FAMILY for family in CHECKPOINTS), matlab.FAMILY)
"""Names of the families that can be read, beside place-search's own model folders."""

_CHECKPOINT_STARTS = (b"PK\x03\x04", b"\x80")
_SAFETENSORS = b'{"'


def read_weights(path: Path) -> Weights:
    """Read a weight file of any supported family.

    Raises:
        ModelError: a missing or damaged file, one that would run code, or none of a family.
    """
    if not path.is_file():
        raise ModelError(f"{path} is not a file; name a weight file or a model folder.")
    with path.open("rb") as stream:
        start = stream.read(16)
    if start.startswith(b"MATLAB "):
        return matlab.read(path)
    if start[8:10] == _SAFETENSORS:
        raise _unknown(path, "a safetensors file without a card")
    if not start.startswith(_CHECKPOINT_STARTS):
        raise _unknown(path, "neither a checkpoint of torch nor a MATLAB file")
    if path.suffix == ".whl" and zipfile.is_zipfile(path):
        raise _unknown(path, "a Python package")
    table = load_checkpoint(path)
    state = state_of(table)
    names = frozenset(state)
    for family in CHECKPOINTS:
        if family.matches(table, names):
            tensors = Tensors(path, family.FAMILY, state)
            weights: Weights = family.read(tensors, table)
            tensors.finish()
            return weights
    backbone = torchvision_backbone(state)
    if backbone is not None:
        raise ModelError(
            f"{path} holds the backbone {backbone} without a NetVLAD layer; fit one with "
            f"`place-search cluster PHOTOS --backbone {backbone} --backbone-weights {path} "
            "--out MODEL`."
        )
    raise _unknown(path, f"a checkpoint of none of the supported families ({some(names)})")


def _unknown(path: Path, what: str) -> ModelError:
    return ModelError(
        f"{path} is {what}; supported are {', '.join(SUPPORTED)}, and model folders of "
        "place-search."
    )
