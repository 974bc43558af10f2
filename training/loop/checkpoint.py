"""The state of a run, and its checkpoint in the run's folder, whole or absent."""

import os
import pickle
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from errno import ENOSPC
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from place_search.core.files import replacing, telling_unwritable
from place_search.models.network import Network
from place_search.training.errors import TrainingError

CHECKPOINT = "checkpoint.pt"
BEST = "best.pt"


@dataclass(slots=True)
class RunState:
    """The progress of a run: `done` batches of pass `part` of `epoch`, and `step` batches in all.

    `first` and `best` are Recall@1, 5 and 10 in per cent before training and of the best epoch;
    `since` counts the epochs since the best. Of the run's `seconds`, `waited` were spent waiting
    for photos. `cached` is whether the frozen part's features are kept on disk.
    """

    epoch: int = 0
    part: int = 0
    done: int = 0
    step: int = 0
    first: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    since: int = 0
    finished: bool = False
    seconds: float = 0.0
    waited: float = 0.0
    cached: bool | None = None


def save_table(table: Mapping[str, Any], path: Path) -> None:
    """Write a table of tensors and numbers, whole or not at all.

    Raises:
        OSError: the disk is full, or the folder may not be written.
    """
    with replacing(path) as part:
        part.touch()
        try:
            torch.save(dict(table), part)
        except RuntimeError as error:  # torch's error for a full disk
            raise OSError(ENOSPC, os.strerror(ENOSPC)) from error


def load_table(path: Path) -> Mapping[str, Any]:
    """Read such a table without running code from it.

    Raises:
        TrainingError: the file is missing or damaged.
    """
    try:
        table: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TrainingError(f"{path} is missing; start the run anew without --resume.") from None
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise TrainingError(
            f"{path} is damaged ({type(error).__name__}); delete the folder {path.parent} and "
            "start the run anew."
        ) from error
    return table


def load_weights(network: Network, state: Mapping[str, Tensor], path: Path) -> None:
    """Put a checkpoint's weights into a network.

    Raises:
        TrainingError: the weights are of another network.
    """
    try:
        network.load_state_dict(state)
    except (RuntimeError, AttributeError) as error:
        reason = str(error).splitlines()[-1].strip().rstrip(".")
        raise TrainingError(
            f"{path} is of another network than the model it is to go on with ({reason}); name "
            "the model that the run began with, or start a new run under another --out."
        ) from error


def plain_errors(folder: Path) -> AbstractContextManager[None]:
    """Turn an OSError of a run, as of a full disk or a forbidden folder, into a `TrainingError`."""
    then = "go on with --resume: the last checkpoint is kept"
    return telling_unwritable(folder, TrainingError, then)
