"""Errors of an index for clients, who must not learn the server's folders."""

import logging

from place_search.core.errors import is_of_full_disk
from place_search.photos import PhotoError
from place_search.search.errors import BusyError, CannotChangeError, StorageFullError
from place_search.search.reasons import REASONS

log = logging.getLogger("place_search.index")


class plain_errors:  # noqa: N801 - used as a statement
    """Replaces the indexer's errors, which name folders, by errors that clients may see."""

    def __init__(self, unknown: str = "") -> None:
        """`unknown` is the sentence for an unknown place."""
        self._unknown = unknown

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from place_search.indexer import (
            ChangeRefusedError,
            IndexBusyError,
            IndexFormatError,
            IndexReadError,
            IndexWriteError,
            ModelMismatchError,
            SourceError,
            UnknownPlaceError,
        )

        if isinstance(error, UnknownPlaceError):
            raise UnknownPlaceError(self._unknown or str(error)) from None
        if isinstance(error, IndexBusyError):
            raise BusyError("The index is being changed by another program; try again later.")
        if isinstance(error, ChangeRefusedError):
            raise CannotChangeError(str(error)) from None
        of_index = (IndexReadError, IndexWriteError, IndexFormatError)
        others = (ModelMismatchError, SourceError, PhotoError, OSError)
        if isinstance(error, (*of_index, *others)):
            log.warning("%s", error)
            if is_of_full_disk(error):
                raise StorageFullError(REASONS["disk-full"]) from None
            raise CannotChangeError(REASONS["cannot-change"]) from None
