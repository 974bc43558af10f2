"""Freed memory stays with the process that asked for it."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from place_search.core.memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()

def use():
    # Two at once: by default glibc keeps the first few MB, but no more.
    return np.ones(3 << 20, np.uint8), np.ones(3 << 20, np.uint8)

use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc alone")
def test_freed_memory_is_not_faulted_in_again() -> None:
    assert faults("keep") < 100
    assert faults("leave") > 1000
