"""The optimiser, its learning rate over time, and half precision on GPUs."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from place_search.training.config import TrainingConfig
from place_search.training.split_network import TrainedPart

WARM_UP = 30
"""Steps over which AdamW's rate rises, while its statistics of gradients are still poor."""


def warm_cosine(fraction: float, step: int) -> float:
    """The share of the learning rate at a `fraction` (0–1) of a run, and at a step, from 0.

    It follows a cosine to zero, and rises over the first `WARM_UP` steps.
    """
    return 0.5 * (1 + math.cos(math.pi * min(1, fraction))) * min(1.0, (step + 1) / WARM_UP)


class Optimizer:
    """An optimiser over the trained part; the NetVLAD layer has a rate of its own."""

    def __init__(self, trained: TrainedPart, config: TrainingConfig, device: torch.device) -> None:
        self._config = config
        self._kind = {
            "auto": _best_kind(device),
            "float32": None,
            "bfloat16": torch.bfloat16,
            "float16": torch.float16,
        }[config.precision]
        self._device = device
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._kind == torch.float16)
        groups: list[dict[str, Any]] = [
            {"params": list(part.parameters()), "share": share}
            for part, share in (
                (trained.units, 1.0),
                (trained.pool.assignment, config.assignment_rate),
            )
        ]
        groups.append({"params": [trained.pool.centroids], "share": config.centroid_rate})
        groups = [group for group in groups if group["params"]]
        rate, decay = config.learning_rate, config.weight_decay
        self._torch: torch.optim.Optimizer
        if config.optimizer == "sgd":
            self._torch = torch.optim.SGD(
                groups, lr=rate, momentum=config.momentum, weight_decay=decay
            )
        else:
            self._torch = torch.optim.AdamW(groups, lr=rate, weight_decay=decay)

    def rate(self, epoch: float, step: int) -> float:
        """The learning rate at a time, in epochs with fractions and in steps, both from 0."""
        config = self._config
        if config.halve_every:
            return config.learning_rate * 0.5 ** (int(epoch) // config.halve_every)
        return config.learning_rate * warm_cosine(epoch / config.epochs, step)

    def begin(self, rate: float) -> None:
        """Set the rate and clear the gradients."""
        for group in self._torch.param_groups:
            group["lr"] = rate * group["share"]
        self._torch.zero_grad()

    def cast(self) -> AbstractContextManager[object]:
        """A context in which products are computed in the chosen precision."""
        return torch.autocast(self._device.type, dtype=self._kind, enabled=self._kind is not None)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self) -> None:
        """Update the weights."""
        self._scaler.step(self._torch)
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {"optimizer": self._torch.state_dict(), "scaler": self._scaler.state_dict()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore such a state. Raises ValueError if it is of other weights."""
        self._torch.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])


def _best_kind(device: torch.device) -> torch.dtype | None:
    """Half precision for GPUs, bfloat16 if they have it in hardware; None for CPUs."""
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
