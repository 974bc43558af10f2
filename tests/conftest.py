"""What all tests share: their marks, and split files in the layouts of those who publish them."""

import gc
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import settings
from scipy.io import savemat

from place_search.core.memory import CEILING
from tests.needs import MARKS, needs_of

pytest_plugins = ["tests.milvus_server", "tests.compiled", "tests.untraced"]

# A shared machine's pauses say nothing about the code.
settings.register_profile("place-search", deadline=None)
settings.load_profile("place-search")

WriteMat = Callable[..., Path]

MEMORY = Path("/dev/shm")
MEMORY_BYTES = 6 << 30
"""What must be free there; the files of a whole run take up to 2 GB."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """What is quicker for tests, in their processes too: files in memory, a thread a worker.

    Each file that an index writes waits for the disk, 10 ms. Threads of OpenMP that wait for each
    other spin, which costs the other workers.

    Programs that tests start heed interrupts, which a shell switches off in the background. It is
    undone here, not in each child between fork and exec: gRPC's threads, where they run, write
    into the error stream of a process that is forked.

    Python that is compiled is kept: the tests themselves, which take seconds, and what each process
    would compile again.

    What tests import is a million objects, which stay: looking for garbage among them took a sixth
    of the time until the first test.
    """
    gc.disable()
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        os.environ.setdefault("TMPDIR", str(MEMORY))
        tempfile.tempdir = None  # pytest has asked before, and Python keeps the answer
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """From here on, there may be garbage."""
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files whose packages are not asked for: where they lack, no import succeeds."""
    left_out = MARKS.intersection(re.findall(r"\bnot (\w+)", config.option.markexpr))
    files = [collection_path] if collection_path.is_file() else collection_path.glob("**/test_*.py")
    needs = [needs_of(file) for file in files if file.name.startswith("test_")]
    return True if needs and all(left_out & each for each in needs) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by what they need. Workers take whole files, whose tests share fixtures.

    They take files with slow tests first: no other waits at the end while one runs such a file.
    """
    for item in items:
        for need in needs_of(item.path):
            item.add_marker(need)
        if "milvus" in item.nodeid:
            item.add_marker("milvus")
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow and not needs_of(item.path))


@pytest.fixture(autouse=True, scope="session")
def _certificates_are_read_once() -> Iterator[None]:
    """Each client of httpx reads those that the system trusts, 15 ms, and tests open hundreds."""
    with pytest.MonkeyPatch.context() as patch:
        name = "create_ssl_context"
        patch.setattr(f"httpx._transports.default.{name}", cache(getattr(httpx, name)))
        yield


@pytest.fixture(autouse=True, scope="module")
def _no_ceiling_is_left() -> Iterator[None]:
    """Engines that a module's tests opened and never served set a ceiling on the whole process."""
    yield
    CEILING.lift()


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
