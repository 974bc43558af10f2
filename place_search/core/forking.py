"""Refuses other processes, which lack the threads and open files of models and indexes."""

import os
from typing import NoReturn

from place_search.core.errors import PlaceSearchError

_in_use = False
_lacks_threads = False


class ForkedError(PlaceSearchError):
    """A process that was forked from one that uses models or indexes."""


class OfOneProcess:
    """Something that holds threads or open files, which no copy of it would have."""

    def __reduce__(self) -> NoReturn:
        raise PlaceSearchError(
            "An opened index or model cannot be sent to another process, stored or copied; pass on "
            "the path of its folder, and open it there."
        )


def use_threads() -> None:
    """Note that this process relies on threads; called before they are needed.

    Raises:
        ForkedError: this process was forked from one that relied on its threads.
    """
    global _in_use
    if _lacks_threads:
        raise ForkedError(
            "This process was forked from one that has used place-search, whose threads it lacks; "
            'start processes with multiprocessing.get_context("spawn") or "forkserver".'
        )
    _in_use = True


def _after_fork() -> None:
    global _lacks_threads
    _lacks_threads = _in_use


os.register_at_fork(after_in_child=_after_fork)
