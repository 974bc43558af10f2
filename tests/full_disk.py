"""A disk that is full, for one process alone."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def files_up_to(size: int, process: int = 0) -> Iterator[None]:
    """No file may grow beyond so many bytes: what is written further fails as on a full disk.

    It is so for the process of this id, by default for this one. Python keeps no compiled modules
    meanwhile: of those, too, it would write a part.
    """
    _, most = resource.prlimit(process, resource.RLIMIT_FSIZE)
    keeps_none = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))
        sys.dont_write_bytecode = keeps_none
