"""What all tests share: patience, and split files in the layouts of those who publish them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from scipy.io import savemat

pytest_plugins = ["tests.milvus_server"]

# A shared machine's pauses say nothing about the code.
settings.register_profile("place-search", deadline=None)
settings.load_profile("place-search")

WriteMat = Callable[..., Path]


def _cells(names: Sequence[str]) -> Any:
    """A column of texts as MATLAB writes it: (N, 1), each of them an array of one text."""
    column = np.empty((len(names), 1), dtype=object)
    for row, name in enumerate(names):
        column[row, 0] = np.array([name])
    return column


def _times(values: Sequence[Any]) -> Any:
    return _cells(values) if isinstance(values[0], str) else np.array([values], float)


@pytest.fixture(scope="session")
def write_mat() -> WriteMat:
    """Writes a dbStruct: `database` and `queries` map names to (easting, northing).

    `times` are those of the database and of the queries; the fields for them stand between others.
    """

    def write(
        path: Path,
        database: dict[str, tuple[float, float]],
        queries: dict[str, tuple[float, float]],
        *,
        radius: int = 25,
        times: tuple[Sequence[Any], Sequence[Any]] | None = None,
    ) -> Path:
        fields: dict[str, Any] = {
            "whichSet": "test",
            "dbImageFns": _cells(list(database)),
            "utmDb": np.array(list(database.values()), float).T,
        }
        if times is not None:
            fields["dbTimeStamp"] = _times(times[0])
        fields["qImageFns"] = _cells(list(queries))
        fields["utmQ"] = np.array(list(queries.values()), float).T
        if times is not None:
            fields["qTimeStamp"] = _times(times[1])
        fields |= {
            "numImages": np.uint16(len(database)),
            "numQueries": np.uint16(len(queries)),
            "posDistThr": np.uint8(radius),
            "posDistSqThr": np.uint16(radius**2),
            "nonTrivPosDistSqThr": np.uint8(100),
        }
        savemat(path, {"dbStruct": fields}, format="5")
        return path

    return write
