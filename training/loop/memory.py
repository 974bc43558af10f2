"""Freed memory: training keeps it for the next batch."""

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
KEPT_BYTES = 1 << 30


@cache
def keep_large_blocks() -> None:
    """Let this process keep up to `KEPT_BYTES` that it has freed, in blocks of any size.

    The features of a batch have tens of megabytes and live for milliseconds. By default their pages
    go back to the system each time; on a CPU faulting them in again takes longer than the network
    does. Where the C library is not glibc nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    mallopt(M_MMAP_MAX, 0)
