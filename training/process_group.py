"""The processes that train together, one a GPU: torch's own DistributedDataParallel."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """This process among those that train together; the only one without `torchrun`."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_main(self) -> bool:
        """Whether this process writes the shared files."""
        return self.rank == 0

    def wait_for_all(self) -> None:
        """Wait until all processes have called this."""
        if self.size > 1:
            distributed.barrier()

    def share(self, parts: Sequence[Part]) -> list[Part]:
        """This process's share of the parts; a remainder that cannot be shared is left out."""
        return list(parts[self.rank : len(parts) // self.size * self.size : self.size])

    def mean(self, value: Tensor) -> float:
        """The mean of a number over all processes."""
        if self.size > 1:
            value = value.detach().clone()
            distributed.all_reduce(value)
            value /= self.size
        return float(value.detach())

    def wrap(self, module: nn.Module) -> nn.Module:
        """A module whose gradients are means over all processes."""
        return DistributedDataParallel(module) if self.size > 1 else module

    def unsynced(self, module: nn.Module) -> AbstractContextManager[object]:
        """A context in which gradients are summed in this process, not shared."""
        if isinstance(module, DistributedDataParallel):
            context: AbstractContextManager[object] = module.no_sync()
            return context
        return nullcontext()

    def leave(self) -> None:
        """Leave the group."""
        if self.size > 1:
            distributed.destroy_process_group()


def join_processes() -> ProcessGroup:
    """Join the processes that `torchrun` started; without it, a group of this process alone.

    The device is a GPU if available, else the CPU.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    gpu = torch.cuda.is_available()
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    if size == 1:
        return ProcessGroup(device=device)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if gpu else "gloo")
    return ProcessGroup(distributed.get_rank(), size, device)
