"""The one error family of place-search: sentences that say what is wrong, where, and the remedy."""

import errno
import os
import sys

_NO_WAY = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)


class PlaceSearchError(Exception):
    """A problem its reader can mend; `str(error)` is one sentence fit to show as it is."""

    is_usage = False
    """Whether what was asked for makes no sense, as a flag that there is not."""


class WrongParameterError(PlaceSearchError):
    """Values that make no sense, and the names of the parameters that they were given for."""

    is_usage = True

    def __init__(self, sentence: str, parameter: str, *more: str) -> None:
        """`sentence` says what is wrong with these parameters."""
        super().__init__(sentence, parameter, *more)
        self.parameters = (parameter, *more)

    def __str__(self) -> str:
        return str(self.args[0])


def out_of_reach(error: Exception) -> str:
    """Why the system does not even say what is at a path, as a sentence; "" for other errors."""
    names = sys.getfilesystemencoding()
    if isinstance(error, UnicodeEncodeError) and names != "utf-8":
        return (
            f"{error.object!a:.200} cannot be a file's name here, where names are {names}; set "
            "PYTHONUTF8=1, and start again."
        )
    if not isinstance(error, OSError) or error.filename is None or error.errno not in _NO_WAY:
        return ""
    path = error.filename if isinstance(error.filename, int) else os.fsdecode(error.filename)
    return (
        f"{path!s:.200} is out of reach ({error.strerror}); check its spelling, and who may enter "
        "the folders above it."
    )
