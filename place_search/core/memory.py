"""Memory: how much there must be, and what a process keeps that takes one photo after another."""

import ctypes
import math
import mmap
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Protocol
from weakref import WeakSet

from place_search.core.errors import PlaceSearchError
from place_search.core.text import free_bytes, needed_bytes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # of glibc's malloc.h
KEPT_BYTES = 64 << 20
LARGEST_KEPT_BYTES = 8 << 20
"""What is larger goes back to the system as soon as it is freed."""
KEPT_IN_TRAINING_BYTES = 1 << 30
ADDRESS_SPACE = 1_900_000_000
"""Bytes below which FAISS and OpenVINO crash or hang; they use a fraction of them."""
CONTROL_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""The files of a container's limit and its use, of version 2 and of version 1."""
OTHERS_SECONDS = 0.5
"""How long what other processes hold is taken to be what it was."""
TRIM_SECONDS = 1.0
"""How often freed memory is given back at most: looking for it takes milliseconds."""


class Holder(Protocol):
    """What can do with less memory, and be slower for it; its length says how much it holds."""

    made: int
    """How much it has made so far, what it has let go among it."""

    def __len__(self) -> int: ...

    def shrink(self) -> bool:
        """Let the next thing go that is not in use; False where there is none."""


class MemoryCeiling:
    """How much this process and those that it starts may hold; without a limit at first.

    What can do with less is in `holders`. It asks for `room` before it grows; `enforce` makes it
    smaller where anything else has grown. Thread-safe.
    """

    def __init__(self) -> None:
        self.limit = math.inf
        """Bytes; infinite where there is no limit."""
        self.others: Callable[[], int] | None = None
        """Bytes that the processes hold that this one has started."""
        self.holders: WeakSet[Holder] = WeakSet()
        self._others = 0
        self._asked = self._trimmed = -math.inf

    def lift(self) -> None:
        """Have no limit again."""
        self.limit, self.others, self._others = math.inf, None, 0

    @property
    def is_set(self) -> bool:
        """Whether there is a limit."""
        return self.limit < math.inf

    def used(self) -> int:
        """Bytes that these processes hold now, mapped files not among them."""
        return private_bytes() + self.used_by_others()

    def used_by_others(self) -> int:
        """Bytes that the other processes held a moment ago."""
        now = time.monotonic()
        if self.others is not None and now - self._asked >= OTHERS_SECONDS:
            self._asked = now
            self._others = self.others()
        return self._others

    def room(self, wanted: float = 0) -> bool:
        """Whether so many bytes more stay below the limit, freed ones being given back first."""
        if not self.is_set or self.used() + wanted <= self.limit:
            return True
        now = time.monotonic()
        if now - self._trimmed < TRIM_SECONDS:
            return False
        self._trimmed = now
        return_freed_memory()
        return self.used() + wanted <= self.limit

    def enforce(self) -> None:
        """Let holders shrink for as long as the limit is exceeded."""
        try:
            holders = list(self.holders)
        except RuntimeError:  # one is being added in another thread: soon it is asked again
            return
        for holder in holders:
            while not self.room() and holder.shrink():
                pass


CEILING = MemoryCeiling()
"""That of this process: memory belongs to all of it."""


def private_bytes() -> int:
    """Bytes of memory that this process holds and no file backs."""
    _, resident, shared = _statm("self")
    return resident - shared


def resident_bytes(pid: int | str = "self") -> int:
    """Bytes of memory that a process holds, mapped files among them; OSError where it is gone."""
    return _statm(pid)[1]


def address_space_bytes() -> int:
    """Bytes of address space that this process has taken."""
    return _statm("self")[0]


def _statm(pid: int | str) -> list[int]:
    """Bytes that a process has taken of address space, that it holds, and that files back."""
    pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[:3]
    return [int(count) * mmap.PAGESIZE for count in pages]


def unshared_bytes(pid: int) -> int:
    """Bytes that a process holds and no other does, as forks do; 0 where it is gone."""
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(row.split()[1]) << 10 for row in rows if row.startswith("Private_Dirty"))


def machine_bytes() -> int:
    """Bytes of memory that the machine has, or those that its container may use."""
    return min(os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE, _container()[0])


def available_bytes() -> int:
    """Bytes of memory that are free, of the machine and of the container that this may be in."""
    rows = (row.split() for row in Path("/proc/meminfo").read_text("ascii").splitlines())
    free = next(int(row[1]) << 10 for row in rows if row[0] == "MemAvailable:")
    limit, used = _container()
    return min(free, max(0, limit - used))


def _container() -> tuple[int, int]:
    """Bytes that the container of this process may use and those that it does, if it has one."""
    for group in CONTROL_GROUPS:
        with suppress(OSError, ValueError):  # no such control group, or "max"
            limit, used = (int(Path(file).read_text("ascii")) for file in group)
            return limit, used
    return sys.maxsize, 0


def require_address_space() -> None:
    """Refuse what would end in a crash without a word.

    Raises:
        PlaceSearchError: this process may use too little.
    """
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < ADDRESS_SPACE:
        raise PlaceSearchError(
            f"This process may use {free_bytes(limit)} of address space, and it needs "
            f"{needed_bytes(ADDRESS_SPACE)}; raise the limit with `ulimit -v`."
        )


def return_freed_memory() -> None:
    """Give what this process has freed, and has kept so far, back to the system."""
    with suppress(OSError, AttributeError, TypeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


@cache
def keep_freed_memory() -> None:
    """Let this process keep up to `KEPT_BYTES` that it has freed, for each thread that allocates.

    A decoded photo lives for milliseconds. By default its pages go back to the system with it, and
    faulting them in again for the next one takes longer than decoding it does.
    """
    _set_malloc({M_TRIM_THRESHOLD: KEPT_BYTES, M_MMAP_THRESHOLD: LARGEST_KEPT_BYTES})


@cache
def keep_large_blocks() -> None:
    """Let this process keep `KEPT_IN_TRAINING_BYTES` that it has freed, in blocks of any size.

    The features of a batch have tens of megabytes; on a CPU faulting their pages in again takes
    longer than the network does.
    """
    _set_malloc({M_TRIM_THRESHOLD: KEPT_IN_TRAINING_BYTES, M_MMAP_MAX: 0})


def _set_malloc(options: dict[int, int]) -> None:
    """Set options of glibc's malloc; nothing changes where the C library is another."""
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in options.items():
            mallopt(option, value)
