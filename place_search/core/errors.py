"""The error family of place-search: each text is a sentence with the fault and its remedy."""

import errno
import os
import sys
from pathlib import Path
from shlex import join
from traceback import walk_tb

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_WAY = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_OF_THE_DRIVE = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""What a drive answers that cannot lock files, as some network drives."""


class PlaceSearchError(Exception):
    """A problem that its reader can fix; `str(error)` is one sentence to show unchanged."""

    is_usage = False
    """Whether the request itself is wrong, such as an unknown flag."""


class WrongParameterError(PlaceSearchError):
    """Values that make no sense, with the names of their parameters."""

    is_usage = True

    def __init__(self, sentence: str, parameter: str, *more_parameters: str) -> None:
        """`sentence` describes the fault of these parameters."""
        super().__init__(sentence, parameter, *more_parameters)
        self.parameters = (parameter, *more_parameters)

    def __str__(self) -> str:
        return str(self.args[0])


def shell_command(*words: object) -> str:
    """A command of this program for a sentence: in backticks, as a shell takes it."""
    return f"`place-search {join(map(str, words))}`"


def out_of_reach(error: Exception) -> str:
    """A sentence on a path that may not be accessed; "" for other errors."""
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


def is_of_full_disk(error: BaseException) -> bool:
    """Whether an error, or the error that it was raised from, is that of a full disk."""
    return any(isinstance(one, OSError) and one.errno in _FULL for one in (error, error.__cause__))


def full_disk_in(text: str) -> int | None:
    """The number of the error of a full disk that a library or program tells of, if any."""
    return next((number for number in _FULL if os.strerror(number) in text), None)


RERUN = "run the same command again"


def unwritable(what: object, error: OSError, then: str = RERUN) -> str:
    """A sentence on why a file or folder cannot be written; `then` is what to do once it can."""
    if is_of_full_disk(error):
        fault = "is on a full disk; free some space"
    elif error.errno in _FORBIDDEN:
        fault = "may not be written; change its permissions or choose another folder"
    elif error.errno in _OF_THE_DRIVE:
        fault = f"is on a drive that refuses this ({error.strerror}); choose another drive"
    elif error.errno == errno.ENAMETOOLONG:
        fault = "has too long a name; choose a shorter one"
    else:
        fault = f"cannot be written ({error.strerror or error}); mend that"
    return f"{what} {fault}, then {then}."


def torn_module(error: Exception) -> str:
    """Delete a compiled module that is cut short, and say so; "" for other errors.

    Python before 3.12.8, and 3.13.0, take what a full disk let them write of it for the whole.
    """
    if not isinstance(error, EOFError):
        return ""
    for frame, _ in walk_tb(error.__traceback__):
        path = frame.f_locals.get("bytecode_path")
        if frame.f_code.co_name != "get_code" or not isinstance(path, str):
            continue
        try:
            Path(path).unlink(missing_ok=True)
        except OSError:
            return f"{path} was cut short, as by a full disk; delete it."
        return (
            f"{path} was cut short, as by a full disk, and is deleted; make room, then run the "
            "same command again."
        )
    return ""
