"""A disk that is full, for this process alone."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: what is written further fails as on a full disk.

    Python keeps no compiled modules meanwhile: of those, too, it would write a part.
    """
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    keeps_none = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        sys.dont_write_bytecode = keeps_none
