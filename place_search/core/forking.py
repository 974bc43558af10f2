"""Refuses forked processes: they lack their parent's threads, which models and stores need."""

import os

from place_search.core.errors import PlaceSearchError

_in_use = False
_lacks_threads = False


class ForkedError(PlaceSearchError):
    """A process that was forked from one that uses models or indexes."""


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
