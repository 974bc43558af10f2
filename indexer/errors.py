"""Errors of sources and of indexes, each one sentence with a remedy."""

import errno
import os
from pathlib import Path

from place_search.core.errors import PlaceSearchError, WrongParameterError

_FAULTS_OF_FILE = {
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ELOOP),
    *(errno.EINVAL, errno.EOVERFLOW),
}
"""Errors of a missing file, of a path that is no file, or of an offset beyond the file."""


class SourceError(PlaceSearchError):
    """The photos to index cannot be listed: an empty folder, a broken CSV, unknown paths."""


class VideoOptionError(WrongParameterError, SourceError):
    """Options of videos and panoramas that contradict each other or make no sense."""


class IndexFormatError(PlaceSearchError):
    """A folder that is no index, is damaged, unfinished, or of a newer format."""


class IndexReadError(PlaceSearchError):
    """A file of an index that the system refuses to read, though it may be whole."""


class ClosedIndexError(PlaceSearchError):
    """An index that was closed is used."""


class IndexWriteError(PlaceSearchError):
    """An index that cannot be written: a full disk, a read-only or foreign folder."""


class StoreOutageError(PlaceSearchError):
    """The engine that holds an index's vectors does not answer, or not as it should."""


class CollectionLostError(StoreOutageError):
    """The engine no longer has the collection of an index, or another one by its name."""


class ClusterError(PlaceSearchError):
    """The machines that share the work of a run, or their exchange of files, fail."""


class ChangeRefusedError(IndexWriteError):
    """A change that the content of the index does not allow. The message names no folder."""


class IndexBusyError(IndexWriteError):
    """Another process is writing the same index."""


class ModelMismatchError(PlaceSearchError):
    """A model or descriptor other than that of the index."""


class UnknownPlaceError(PlaceSearchError):
    """A place_id that the index does not hold."""


class FieldError(PlaceSearchError):
    """A value for a place does not fit the fields that the index declares."""

    is_usage = True


class FilterError(WrongParameterError):
    """A filter of places that cannot be read, or that names an unknown field."""


class EditConflictError(PlaceSearchError):
    """A place that another person has edited in the meantime."""


def read_refusal(path: Path, error: Exception) -> IndexReadError | None:
    """The error where the system refuses to read a file of an index; None for a damaged file."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None or number in _FAULTS_OF_FILE:
        return None
    if number in (errno.EACCES, errno.EPERM):
        return IndexReadError(f"{path} may not be read; check its permissions.")
    if number in (errno.EMFILE, errno.ENFILE):
        return IndexReadError(
            f"{path} cannot be opened beside all other files of the index; allow this process more "
            "of them (`ulimit -n`)."
        )
    return IndexReadError(f"{path} cannot be read ({os.strerror(number)}); check its disk.")
