"""torch checkpoints, read without running anything that is in them."""

import io
import pickle
import re
import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core import multiarray

from place_search.core.files import open_regular
from place_search.models.errors import ModelError

# Recalls are stored as NumPy numbers. These only hold data; both of NumPy's module names occur.
_NUMBERS: list[Any] = [
    *(
        (part, f"{package}.multiarray.{part.__name__}")
        for part in (multiarray.scalar, multiarray._reconstruct)
        for package in ("numpy.core", "numpy._core")
    ),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f8", "f4", "i8", "i4", "?")),
]
# pytorch-NetVlad's download is an archive of a run's folder; the better one comes first.
_IN_ARCHIVE = ("model_best.pth.tar", "checkpoint.pth.tar")


class WeightFile:
    """A weight file that an importer may recognise: its first bytes, and a checkpoint's table.

    `table` and `state` are empty where it is no checkpoint of torch. Raises `ModelError` where it
    is one that is damaged or would run code.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_regular(path) as stream:
            self.start = stream.read(16)

    @property
    def is_checkpoint(self) -> bool:
        """Whether the file begins as torch's checkpoints do."""
        return self.start.startswith((b"PK\x03\x04", b"\x80"))

    @cached_property
    def table(self) -> Mapping[str, Any]:
        """What the checkpoint holds beside its weights, too."""
        return load_checkpoint(self.path) if self.is_checkpoint else {}

    @cached_property
    def state(self) -> Mapping[str, Any]:
        """The weights by name."""
        return state_of(self.table)


def load_checkpoint(path: Path) -> Mapping[str, Any]:
    """The table in a checkpoint, or in an archive that holds one.

    Raises:
        ModelError: the file would run code, is damaged, or holds no table.
    """
    try:
        with torch.serialization.safe_globals(_NUMBERS):
            table = torch.load(_open(path), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named is None:
            raise _damaged(path) from None
        raise ModelError(
            f"{path} holds more than weights: it asks for {named[1]}, and what a file asks for is "
            "never run; save its state_dict alone with torch.save, or get it from its publisher."
        ) from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    except Exception:
        # A cut or garbled file raises nearly anything: RuntimeError, EOFError, KeyError, …
        raise _damaged(path) from None
    if not isinstance(table, Mapping) or not all(isinstance(key, str) for key in table):
        raise ModelError(
            f"{path} holds a {type(table).__name__} instead of a table of weights; save the "
            "model's state_dict() with torch.save."
        )
    return table


def state_of(table: Mapping[str, Any]) -> dict[str, Any]:
    """The weights in a checkpoint's table by name, without what several GPUs add to names."""
    state = next(
        (
            table[key]
            for key in ("state_dict", "model_state_dict")
            if isinstance(table.get(key), Mapping)
        ),
        table,
    )
    return {re.sub(r"(^|\.)module\.", r"\1", str(name)): value for name, value in state.items()}


def _open(path: Path) -> Path | io.BytesIO:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for wanted in _IN_ARCHIVE:
                for name in archive.namelist():
                    if name.endswith(wanted):
                        return io.BytesIO(archive.read(name))
    return path


def _damaged(path: Path) -> ModelError:
    return ModelError(
        f"{path} is cut short, damaged or no checkpoint of torch; get it again from its publisher."
    )
