"""Descriptors on disk."""

import shutil
from collections import namedtuple

import numpy as np
import pytest

from place_search.evaluation import TruthError
from place_search.evaluation.descriptors import Scratch, ScratchDatabase
from tests.full_disk import files_up_to


def test_rows_come_back_and_the_others_are_zeros() -> None:
    scratch = Scratch(5, 3)
    for row in (4, 1):
        scratch.write(row, np.full(3, row, dtype=np.float64))
    assert scratch.take(np.array([4, 0, 1])).tolist() == [[4] * 3, [0] * 3, [1] * 3]
    assert scratch.read(2, 2).shape == (0, 3)


def test_a_database_passes_by_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("place_search.evaluation.descriptors.CHUNK_BYTES", 24)
    scratch = Scratch(5, 3)
    for row in range(5):
        scratch.write(row, np.full(3, row))
    chunks = list(ScratchDatabase(scratch, 5, 3).chunks())
    assert [rows.tolist() for rows, _ in chunks] == [[0, 1], [2, 3], [4]]
    assert all((table == rows[:, None]).all() for rows, table in chunks)


def test_a_full_disk_is_told_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**6))
    with pytest.raises(TruthError, match=r"13 GB in .* which has 1 MB free; set TMPDIR"):
        Scratch(92232, 32768)


def test_a_disk_that_fills_up_leaves_no_half_a_descriptor() -> None:
    scratch = Scratch(2, 3)
    with files_up_to(20), pytest.raises(TruthError, match="make room, or set TMPDIR"):
        scratch.write(1, np.ones(3, np.float32))
    with files_up_to(20), pytest.raises(TruthError, match="make room, or set TMPDIR"):
        Scratch(2, 3)
