"""What goes wrong with an index, told to who may know neither its folders nor its machine."""

import logging

from place_search.photos import PhotoError
from place_search.search.errors import BusyError, CannotChangeError
from place_search.search.server.content.reasons import REASONS

log = logging.getLogger("place_search.index")


class plain_errors:  # noqa: N801 - used as a statement
    """What the indexer raises names folders, which only the log may."""

    def __init__(self, unknown: str = "") -> None:
        """`unknown` says that there is no such place."""
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
            raise CannotChangeError(REASONS["cannot-change"]) from None
