"""Memory: the ceiling of a process, the system's figures, and the options of malloc."""

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
"""Larger blocks go back to the system as soon as they are freed."""
KEPT_IN_TRAINING_BYTES = 1 << 30
ADDRESS_SPACE = 1_900_000_000
"""Bytes of address space below which FAISS and OpenVINO crash or hang; they use a fraction."""
CONTROL_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""The files of a container's memory limit and use, of control groups 2 and 1."""
OTHERS_SECONDS = 0.5
"""Seconds for which the memory of other processes is not read again."""
TRIM_SECONDS = 1.0
"""The least seconds between two trims, each of which takes milliseconds."""


class Holder(Protocol):
    """A cache that can shrink and then is slower; its length is the number of its items."""

    made_count: int
    """The number of items made since the start, with discarded items."""

    def __len__(self) -> int: ...

    def shrink(self) -> bool:
        """Discard the next item that is not in use; False if there is none."""


class Cache(Protocol):
    """What was computed of all places of an index, and can be computed again."""

    def forget(self) -> None:
        """Let go of all of it."""


class MemoryCeiling:
    """The memory limit of this process and of those that it starts; none at first.

    The `holders` check `room` before they grow; `enforce` empties the `caches`, and then shrinks
    the holders, where other memory has grown. Thread-safe.
    """

    def __init__(self) -> None:
        self.limit = math.inf
        """Bytes; infinity for no limit."""
        self.read_others: Callable[[], int] | None = None
        """Returns the bytes that the started processes hold."""
        self.holders: WeakSet[Holder] = WeakSet()
        self.caches: WeakSet[Cache] = WeakSet()
        self._others_bytes = 0
        self._others_read_at = self._trimmed_at = -math.inf

    def lift(self) -> None:
        """Remove the limit."""
        self.limit, self.read_others, self._others_bytes = math.inf, None, 0

    @property
    def is_set(self) -> bool:
        """Whether there is a limit."""
        return self.limit < math.inf

    def used(self) -> int:
        """Bytes that all these processes hold now, without mapped files."""
        return private_bytes() + self.used_by_others()

    def used_by_others(self) -> int:
        """Bytes that the other processes held at most `OTHERS_SECONDS` ago."""
        now = time.monotonic()
        if self.read_others is not None and now - self._others_read_at >= OTHERS_SECONDS:
            self._others_read_at = now
            self._others_bytes = self.read_others()
        return self._others_bytes

    def room(self, size: float = 0) -> bool:
        """Whether `size` more bytes stay below the limit; returns freed memory first if not."""
        if not self.is_set or self.used() + size <= self.limit:
            return True
        now = time.monotonic()
        if now - self._trimmed_at < TRIM_SECONDS:
            return False
        self._trimmed_at = now
        return_freed_memory()
        return self.used() + size <= self.limit

    def enforce(self) -> None:
        """Empty caches and shrink holders while the limit is exceeded."""
        try:
            caches, holders = list(self.caches), list(self.holders)
        except RuntimeError:  # another thread is adding one; `enforce` is called again soon
            return
        for kept in caches:
            if not self.room():
                kept.forget()
        for holder in holders:
            while not self.room() and holder.shrink():
                pass


CEILING = MemoryCeiling()
"""The ceiling of this process."""


def private_bytes() -> int:
    """Bytes of memory that this process holds and no file backs."""
    _, resident, shared = _statm("self")
    return resident - shared


def resident_bytes(pid: int | str = "self") -> int:
    """Bytes of memory that a process holds, with mapped files. Raises OSError if it has ended."""
    return _statm(pid)[1]


def address_space_bytes() -> int:
    """Bytes of address space that this process has taken."""
    return _statm("self")[0]


def _statm(pid: int | str) -> list[int]:
    """Bytes of a process: its address space, its resident memory, and the part backed by files."""
    pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[:3]
    return [int(count) * mmap.PAGESIZE for count in pages]


def unshared_bytes(pid: int) -> int:
    """Bytes that a process shares with no other, such as its parent; 0 if it has ended."""
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(row.split()[1]) << 10 for row in rows if row.startswith("Private_Dirty"))


def machine_bytes() -> int:
    """Bytes of memory of the machine, or of this process's container if that has a lower limit."""
    return min(os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE, _container()[0])


def available_bytes() -> int:
    """Bytes of memory that are free in the machine, and in this process's container, if any."""
    rows = (row.split() for row in Path("/proc/meminfo").read_text("ascii").splitlines())
    machine_available = next(int(row[1]) << 10 for row in rows if row[0] == "MemAvailable:")
    limit, used = _container()
    return min(machine_available, max(0, limit - used))


def _container() -> tuple[int, int]:
    """The limit and the use, in bytes, of this process's container; no limit without one."""
    for group in CONTROL_GROUPS:
        with suppress(OSError, ValueError):  # no such control group, or "max"
            limit, used = (int(Path(file).read_text("ascii")) for file in group)
            return limit, used
    return sys.maxsize, 0


def require_address_space() -> None:
    """Refuse an address space that would make libraries crash without a message.

    Raises:
        PlaceSearchError: the limit of this process's address space is too low.
    """
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < ADDRESS_SPACE:
        raise PlaceSearchError(
            f"This process may use {free_bytes(limit)} of address space, and it needs "
            f"{needed_bytes(ADDRESS_SPACE)}; raise the limit with `ulimit -v`."
        )


def return_freed_memory() -> None:
    """Return memory that this process has freed, but kept, to the system."""
    with suppress(OSError, AttributeError, TypeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


@cache
def keep_freed_memory() -> None:
    """Let each allocating thread keep up to `KEPT_BYTES` of freed memory.

    A decoded photo lives for milliseconds. By default its pages then go back to the system, and
    faulting them in again for the next photo takes longer than decoding it.
    """
    _set_malloc({M_TRIM_THRESHOLD: KEPT_BYTES, M_MMAP_THRESHOLD: LARGEST_KEPT_BYTES})


@cache
def keep_large_blocks() -> None:
    """Let this process keep `KEPT_IN_TRAINING_BYTES` of freed memory, in blocks of any size.

    The features of a batch have tens of megabytes; on a CPU faulting their pages in again takes
    longer than running the network.
    """
    _set_malloc({M_TRIM_THRESHOLD: KEPT_IN_TRAINING_BYTES, M_MMAP_MAX: 0})


def _set_malloc(options: dict[int, int]) -> None:
    """Set options of glibc's malloc; without effect on other C libraries."""
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in options.items():
            mallopt(option, value)
