"""OpenCV, without the search path that its import gives to all processes started after it.

The path is that of shared libraries, and an empty part of it means the current folder: whoever may
put a file there could run code in these processes.
"""

import os
from pathlib import Path

import cv2

__all__ = ["cv2"]

_PATH = "LD_LIBRARY_PATH"
_added = f"{Path(cv2.__file__).resolve().parent}/../../lib64:"


def _remove_added() -> None:
    before = os.environ.get(_PATH, "").removeprefix(_added)
    if before:
        os.environ[_PATH] = before
    else:
        os.environ.pop(_PATH, None)


_remove_added()
