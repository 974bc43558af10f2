"""The state of the current job, shared by a server and its decoding processes."""

import mmap
import os
import struct

from place_search.core.memory import resident_bytes

NOTHING = 0
"""The number that stands for no job."""
OUT_OF_MEMORY = 77
"""The exit code of a decoder that has used more memory than its job may."""

SMALL_BYTES = 224 << 20
"""The bytes that a decoder may use without the turn of large photos."""

_FIELDS = ("number", "pid", "jobs", "large", "base")
_INTEGER = struct.Struct("q")


class JobState:
    """Integers in memory that processes share.

    `number` is that of the job, `pid` the id of its decoder, and `jobs` the number of jobs that the
    decoder has begun; `large` is 1 while it has the turn of large photos; `base` is its resident
    memory when it is forked, in bytes.
    """

    def __init__(self, file: int) -> None:
        """`file` is a memfd of `make`."""
        self._memory = mmap.mmap(file, len(_FIELDS) * _INTEGER.size)

    @staticmethod
    def make() -> int:
        """A new memfd for a state."""
        file = os.memfd_create("state")
        os.ftruncate(file, len(_FIELDS) * _INTEGER.size)
        return file

    def __getitem__(self, field: str) -> int:
        number: int = _INTEGER.unpack_from(self._memory, _FIELDS.index(field) * _INTEGER.size)[0]
        return number

    def __setitem__(self, field: str, value: int) -> None:
        _INTEGER.pack_into(self._memory, _FIELDS.index(field) * _INTEGER.size, value)

    def begin(self) -> None:
        """Reset the state for a decoder that is about to be forked."""
        self["pid"] = self["jobs"] = self["large"] = 0
        self["base"] = resident_bytes()

    def limit_bytes(self, memory_bytes: int) -> int:
        """The bytes that the job may use beyond `base`; a large job may use `memory_bytes`."""
        return memory_bytes if self["large"] else min(memory_bytes, SMALL_BYTES)

    def used_bytes(self) -> int:
        """The bytes that the decoder uses beyond `base`; 0 where its process is gone."""
        try:
            return resident_bytes(self["pid"]) - self["base"]
        except OSError:
            return 0
