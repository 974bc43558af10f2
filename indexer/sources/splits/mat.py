"""NetVLAD's `.mat` splits: Pittsburgh, Tokyo 24/7 and TokyoTM (MATLAB 5, one struct dbStruct)."""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import open_regular
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.split import Split, read_name

_FIELDS = ("dbImageFns", "utmDb", "qImageFns", "utmQ", "posDistThr")


def read(file: Path) -> Split:
    """Read the variable `dbStruct` of a MATLAB file, field by field name.

    Raises:
        SourceError: not a MATLAB 5 file, no dbStruct in it, or a dbStruct that lacks a field.
    """
    from scipy.io import loadmat

    try:
        stream = open_regular(file)
    except FileNotFoundError:
        raise SourceError(f"{file} does not exist; check the path.") from None
    except OSError as error:
        raise SourceError(f"{file} cannot be read ({error.strerror}).") from error
    try:
        with stream:
            variables = loadmat(stream, variable_names=["dbStruct"])
    except NotImplementedError:
        raise SourceError(
            f"{file} is a MATLAB 7.3 file; save it in MATLAB with the option '-v7'."
        ) from None
    except Exception as error:  # scipy raises many kinds on files that are torn or not MATLAB's
        raise SourceError(
            f"{file} is not a MATLAB file that can be read ({error}); get it again."
        ) from error
    struct = variables.get("dbStruct")
    if not isinstance(struct, np.ndarray) or not struct.dtype.names or not struct.size:
        raise SourceError(
            f"{file} holds no struct dbStruct; give a split such as pitts30k_test.mat."
        )
    record = struct.ravel()[0]
    fields: dict[str, Any] = {name: record[name] for name in struct.dtype.names}
    missing = [name for name in _FIELDS if name not in fields]
    if missing:
        raise SourceError(f"{file} has a dbStruct without the field {missing[0]}; get it again.")
    try:
        return Split(
            file=file,
            database=_names(fields["dbImageFns"]),
            database_utm=_points(fields["utmDb"]),
            queries=_names(fields["qImageFns"]),
            queries_utm=_points(fields["utmQ"]),
            # Stored as uint8, whose square would overflow.
            radius_m=float(fields["posDistThr"].ravel()[0]),
            database_times=_times(fields, "dbTimeStamp"),
            query_times=_times(fields, "qTimeStamp"),
            queries_below_root=False,
            warnings=_contradictions(file, fields),
        )
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise SourceError(
            f"{file} has a dbStruct of another make ({error}); get it again."
        ) from error


def _contradictions(file: Path, fields: dict[str, Any]) -> tuple[str, ...]:
    """Sentences on numbers of the struct that contradict its lists and radius, which count."""
    radius = float(fields["posDistThr"].ravel()[0])
    expected = {
        "numImages": fields["dbImageFns"].size,
        "numQueries": fields["qImageFns"].size,
        "posDistSqThr": radius**2,
    }
    present = {name: fields[name] for name in expected if name in fields}
    stated = {
        name: float(value.ravel()[0])
        for name, value in present.items()
        if value.size and value.dtype.kind in "iuf"
    }
    return tuple(
        f"{file.name} says {name} {stated[name]:g}, but its lists and its radius make that "
        f"{expected[name]:g}; is it whole?"
        for name in stated
        if not math.isclose(stated[name], expected[name], rel_tol=1e-6)
    )


def _names(cells: NDArray[Any]) -> tuple[str, ...]:
    """The texts of a cell array, each in an array of its own."""
    texts = (cell.ravel()[0] if isinstance(cell, np.ndarray) else cell for cell in cells.ravel())
    return tuple(read_name(text) for text in texts)


def _points(rows: NDArray[Any]) -> NDArray[np.float64]:
    """(2, N) eastings and northings as (N, 2)."""
    return np.ascontiguousarray(rows.T, dtype=np.float64)


def _times(fields: dict[str, Any], name: str) -> NDArray[np.float64] | None:
    if name not in fields or not fields[name].size:
        return None
    values = fields[name].ravel()
    if values.dtype == object:  # texts: only whether they are equal counts
        values = np.array([_number(str(cell.ravel()[0])) for cell in values])
    return np.asarray(values, dtype=np.float64)


def _number(text: str) -> int:
    """A hash of a text, small enough to be exact as a float."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
