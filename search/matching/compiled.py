"""The nearest features by the compiled nearest.c, where an installation has it (see `setup.py`)."""

import ctypes
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.search.matching.views import Views


class Nearest(NamedTuple):
    """The nearest neighbours between R features of a query and S features of each of P places.

    `place` is (R, P), the number of the nearest feature of each place; `query` is (R, P) int16, its
    similarity; `most` is (P, S) int16, the similarity of each feature of a place to the nearest of
    the query. The zeros between features have the similarity `NEVER`.
    """

    place: NDArray[np.int64]
    query: NDArray[np.int16]
    most: NDArray[np.int16]


NEVER = np.iinfo(np.int16).min


def nearest(query: Views, places: Views) -> Nearest | None:
    """The nearest features, as `mutual.nearest` finds them; None where nothing is compiled."""
    library = _library()
    if library is None:
        return None
    rows, count = query.grid[0] * query.line, places.photos
    neighbours = Nearest(
        np.empty((rows, count), np.int64),
        np.empty((rows, count), np.int16),
        np.empty((count, places.size), np.int16),
    )
    failed = library.place_search_nearest(
        *(query.rows.ctypes.data, query.bits, rows, query.line),
        *(places.rows.ctypes.data, count, places.grid[0], places.line, places.unit),
        *(part.ctypes.data for part in neighbours),
    )
    if failed:
        raise MemoryError
    return neighbours


@cache
def _library() -> ctypes.CDLL | None:
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_nearest{suffix}")
        if path.is_file():
            return _opened(path)
    return None


def _opened(path: Path) -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(path))
        match = library.place_search_nearest
    except (OSError, AttributeError):  # of another machine, C library or version
        return None
    address, number = ctypes.c_void_p, ctypes.c_long
    match.argtypes = [
        *(address, ctypes.c_int, number, number),
        *(address, number, number, number, ctypes.c_int),
        *(address, address, address),
    ]
    return library if library.place_search_can_match() else None
