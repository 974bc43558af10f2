"""Freed memory: a process that decodes one photo after another keeps it for the next."""

import ctypes
from contextlib import suppress
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT_BYTES = 64 << 20
LARGEST_KEPT_BYTES = 8 << 20
"""What is larger goes back to the system as soon as it is freed."""


def return_freed_memory() -> None:
    """Give what this process has freed, and has kept so far, back to the system."""
    with suppress(OSError, AttributeError, TypeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


@cache
def keep_freed_memory() -> None:
    """Let this process keep up to `KEPT_BYTES` that it has freed, for each thread that allocates.

    A decoded photo lives for milliseconds. By default its pages go back to the system with it, and
    faulting them in again for the next one takes longer than decoding it does. Where the C library
    is not glibc nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
