"""torch checkpoints, read without running code from them."""

import io
import pickle
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Mapping
from errno import EINVAL
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy._core import multiarray
from numpy._core.numeric import _frombuffer  # type: ignore[attr-defined]
from safetensors import SafetensorError
from safetensors.torch import load_file

from place_search.core.files import open_regular
from place_search.models.errors import ModelError
from place_search.models.weight_files import AS_GRAPH
from place_search.models.weight_files.pickles import in_protocol_2

# Recalls are stored as NumPy numbers, whose types only hold data; both module names occur.
_NUMBERS: list[Any] = [
    *(
        (part, f"{package}.multiarray.{part.__name__}")
        for part in (multiarray.scalar, multiarray._reconstruct)
        for package in ("numpy.core", "numpy._core")
    ),
    np.ndarray,
    np.dtype,
    *{type(np.dtype(kind)) for kind in np.typecodes["All"]},
    *(
        (_frombuffer, f"{package}.numeric._frombuffer")  # arrays in protocol 5
        for package in ("numpy.core", "numpy._core")
    ),
]
_STARTS = (b"PK\x03\x04", b"\x80")
_STATES = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params")
# pytorch-NetVlad's download is an archive of a run's folder; the better checkpoint is first.
_IN_ARCHIVE = ("model_best.pth.tar", "checkpoint.pth.tar")


class WeightFile:
    """A weight file for importers to recognise: its first bytes, and a checkpoint's table.

    `table` and `state` are empty if the file is no checkpoint of torch or safetensors. They raise
    `ModelError` if the checkpoint is damaged or would run code.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_regular(path) as stream:
            self.start = stream.read(16)

    @property
    def is_checkpoint(self) -> bool:
        """Whether the file begins like a checkpoint of torch."""
        return self.start.startswith(_STARTS)

    @property
    def is_safetensors(self) -> bool:
        """Whether the file begins like one of safetensors."""
        return self.start[8:10] == b'{"'

    @cached_property
    def table(self) -> Mapping[str, Any]:
        """The checkpoint's whole table, with entries other than weights."""
        if self.is_safetensors:
            return _load_safetensors(self.path)
        return load_checkpoint(self.path) if self.is_checkpoint else {}

    @cached_property
    def state(self) -> Mapping[str, Any]:
        """The weights by name."""
        return state_of(self.table, self.path)


def load_checkpoint(path: Path) -> Mapping[str, Any]:
    """The table in a checkpoint, or in an archive of a checkpoint.

    Raises:
        ModelError: the file would run code, is damaged, or holds no table.
    """
    try:
        table = _load(_open(path))
    except pickle.UnpicklingError as error:
        match = re.search(r"GLOBAL ([\w.]+)|(torch\.distributed\.tensor)", str(error))
        if match is None:
            raise ModelError(
                f"{path} is damaged, or holds more than weights; save its state_dict alone with "
                "torch.save, or get it again from its publisher."
            ) from None
        raise ModelError(
            f"{path} holds more than weights: it asks for {match[1] or match[2]}, and what a file "
            "asks for is never run; save its state_dict alone with torch.save, or get it from its "
            "publisher."
        ) from None
    except ModelError:
        raise
    except Exception as error:
        # A cut or damaged file raises errors of many types: RuntimeError, EOFError, KeyError, …
        fault = "is cut short or damaged; get it again from its publisher"
        if isinstance(error, OSError) and error.errno != EINVAL:  # a seek before the start
            fault = f"cannot be read ({error.strerror}); check the path"
        raise ModelError(f"{path} {fault}.") from None
    if not isinstance(table, Mapping) or not all(isinstance(key, str) for key in table):
        raise ModelError(
            f"{path} holds a {type(table).__name__} instead of a table of weights; save the "
            f"model's state_dict() with torch.save, or {AS_GRAPH}."
        )
    return table


def _load_safetensors(path: Path) -> Mapping[str, Any]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            f"{path} is a safetensors file that is cut short or damaged ({error}); get it again "
            "from its publisher."
        ) from None


def state_of(table: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The weights in a checkpoint's table by name, without prefixes of training tools.

    Such prefixes come from wrappers for several GPUs and of torch.compile, and from the attribute
    that holds the network in Lightning and others.

    Raises:
        ModelError: there are two tables of weights, or two weights whose names become equal.
    """
    first, second = (table.get(key) for key in _STATES[:2])
    if isinstance(first, Mapping) and isinstance(second, Mapping) and first is not second:
        raise ModelError(
            f"{path} holds both a {_STATES[0]} and a {_STATES[1]}; save the one that is meant "
            "with torch.save."
        )
    state = next((table[key] for key in _STATES if isinstance(table.get(key), Mapping)), table)
    names = {
        str(name): re.sub(r"(^|\.)(?:(?:module|_orig_mod)\.)+", r"\1", str(name)) for name in state
    }
    attribute = re.match(r"(model|net|network)\.", next(iter(names.values()), ""))
    if attribute and all(name.startswith(attribute[0]) for name in names.values()):
        names = {name: plain.removeprefix(attribute[0]) for name, plain in names.items()}
    plain = {names[str(name)]: value for name, value in state.items()}
    if len(plain) < len(names):
        twice = next(name for name, count in Counter(names.values()).items() if count > 1)
        colliding = " and ".join(name for name in names if names[name] == twice)
        raise ModelError(
            f"{path} holds {twice} twice, as {colliding}; save the one that is meant with "
            "torch.save."
        )
    return plain


def _load(source: Path | IO[bytes]) -> Any:
    with warnings.catch_warnings(), torch.serialization.safe_globals(_NUMBERS):
        warnings.simplefilter("ignore")
        try:
            return torch.load(source, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            if "Unsupported operand" not in str(error):
                raise
        with source.open("rb") if isinstance(source, Path) else source as stream:
            return torch.load(in_protocol_2(stream), map_location="cpu", weights_only=True)


def _open(path: Path) -> Path | io.BytesIO:
    """The file, or the checkpoint in it; refuses intact files that torch.save did not write."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            if path.suffix == ".safetensors" or not stream.read(4).startswith(_STARTS):
                raise _not_a_checkpoint(path, "no checkpoint of torch")
        return path
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        for ending in _IN_ARCHIVE:
            for name in members:
                if name.endswith(ending):
                    return io.BytesIO(archive.read(name))
    names = {name.rpartition("/")[2] for name in members}
    if "constants.pkl" in names:
        raise _not_a_checkpoint(path, "a program of TorchScript")
    if "data.pkl" not in names:
        raise _not_a_checkpoint(path, "an archive without a checkpoint of torch")
    return path


def _not_a_checkpoint(path: Path, kind: str) -> ModelError:
    return ModelError(
        f"{path} is {kind}; save the model's state_dict() with torch.save, or {AS_GRAPH}."
    )
