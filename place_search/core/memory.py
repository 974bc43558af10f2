"""Memory: how much there must be, and what a process keeps that takes one photo after another."""

import ctypes
import resource
from contextlib import suppress
from functools import cache

from place_search.core.errors import PlaceSearchError
from place_search.core.text import free_bytes, needed_bytes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # of glibc's malloc.h
KEPT_BYTES = 64 << 20
LARGEST_KEPT_BYTES = 8 << 20
"""What is larger goes back to the system as soon as it is freed."""
KEPT_IN_TRAINING_BYTES = 1 << 30
ADDRESS_SPACE = 1_900_000_000
"""Bytes below which FAISS and OpenVINO crash or hang; they use a fraction of them."""


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
