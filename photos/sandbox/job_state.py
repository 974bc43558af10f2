"""What a server and its decoding processes tell each other of the job that is being done."""

import mmap
import os
import struct

from place_search.core.memory import resident_bytes

NOTHING = 0
"""The number of no job."""
OUT_OF_MEMORY = 77
"""The exit code of a decoder that has used more memory than its job may."""

SMALL_BYTES = 224 << 20
"""What a decoder may use without the turn of large photos."""

_FIELDS = ("number", "pid", "jobs", "large", "base")
_INTEGER = struct.Struct("q")


class JobState:
    """Integers in memory that processes share.

    `number` is that of the job, `pid` its decoder's and `jobs` how many this one has begun; `large`
    is 1 while it has the turn of large photos; `base` is what a decoder has in memory when it is
    forked, in bytes.
    """

    def __init__(self, file: int) -> None:
        """`file` is a memfd of `make`."""
        self._memory = mmap.mmap(file, len(_FIELDS) * _INTEGER.size)

    @staticmethod
    def make() -> int:
        """A new file for one."""
        file = os.memfd_create("state")
        os.ftruncate(file, len(_FIELDS) * _INTEGER.size)
        return file

    def __getitem__(self, field: str) -> int:
        number: int = _INTEGER.unpack_from(self._memory, _FIELDS.index(field) * _INTEGER.size)[0]
        return number

    def __setitem__(self, field: str, value: int) -> None:
        _INTEGER.pack_into(self._memory, _FIELDS.index(field) * _INTEGER.size, value)

    def begin(self) -> None:
        """Prepare for a decoder that is to be forked from this process."""
        self["pid"] = self["jobs"] = self["large"] = 0
        self["base"] = resident_bytes()

    def limit(self, memory_bytes: int) -> int:
        """What the job may use beyond `base`, where a large one may use `memory_bytes`."""
        return memory_bytes if self["large"] else min(memory_bytes, SMALL_BYTES)

    def used(self) -> int:
        """What the decoder uses beyond `base`; 0 where it is gone."""
        try:
            return resident_bytes(self["pid"]) - self["base"]
        except OSError:
            return 0
