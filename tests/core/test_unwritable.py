"""Why a file cannot be written is said in one sentence, and what was there stays."""

import errno
import os
import stat
from pathlib import Path

import pytest

from place_search.core.errors import PlaceSearchError
from place_search.core.files import require_writable, telling_unwritable, write_files, write_whole
from place_search.indexer.errors import IndexWriteError
from tests.full_disk import files_up_to


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "is on a full disk; free some space"),
        (
            OSError(30, "Read-only file system"),
            "may not be written; change its permissions or choose another folder",
        ),
        (
            OSError(errno.ENOLCK, "No locks available"),
            "is on a drive that refuses this (No locks available); choose another drive",
        ),
        (
            OSError(errno.ENAMETOOLONG, "File name too long"),
            "has too long a name; choose a shorter one",
        ),
        (OSError(2, "No such file"), "cannot be written (No such file); mend that"),
        (
            OSError("a library's own words"),
            "cannot be written (a library's own words); mend that",
        ),
    ],
)
def test_the_reason_is_the_system_s_or_the_library_s(error: OSError, said: str) -> None:
    with pytest.raises(PlaceSearchError) as told, telling_unwritable(Path("out.csv")):
        raise error
    assert str(told.value) == f"out.csv {said}, then run the same command again."


def test_the_error_is_of_the_kind_and_says_the_remedy_that_the_caller_names() -> None:
    with pytest.raises(IndexWriteError) as told, telling_unwritable("x", IndexWriteError, "go on"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(told.value) == "x is on a full disk; free some space, then go on."
    with pytest.raises(ValueError, match="no error of the system"), telling_unwritable("x"):
        raise ValueError("no error of the system")


def test_files_that_belong_together_are_replaced_together(tmp_path: Path) -> None:
    write_files(tmp_path, {"a": "old", "b": "old"}, "report", PlaceSearchError)
    with files_up_to(100), pytest.raises(PlaceSearchError) as told:
        write_files(tmp_path, {"a": "new", "b": "new" * 100}, "report", PlaceSearchError)
    assert str(told.value) == (
        f"The report {tmp_path} is on a full disk; free some space, then run the same command "
        "again."
    )
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"a": "old", "b": "old"}


def test_a_name_without_room_for_an_ending_is_told_before_the_work(tmp_path: Path) -> None:
    require_writable(tmp_path / f"{'z' * 246}.csv")
    with pytest.raises(PlaceSearchError, match=r"z\.csv has too long a name; choose a shorter one"):
        require_writable(tmp_path / f"{'z' * 247}.csv")


def test_a_read_only_folder_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_writable(tmp_path / "out.csv")
    asked = []

    def may_not(*given: object, **_named: object) -> bool:  # root may write anywhere
        asked.append(given)
        return False

    monkeypatch.setattr(os, "access", may_not)
    with pytest.raises(PlaceSearchError) as told:
        require_writable(tmp_path / "out.csv")
    assert str(told.value) == f"{tmp_path} may not be written; name a file in another folder."
    assert asked == [(tmp_path, os.W_OK | os.X_OK)]


@pytest.mark.parametrize(("number", "is_written"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_drive_that_cannot_sync_folders_holds_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_written: bool
) -> None:
    """A shared folder of a virtual machine, or an old network drive, refuses it with EINVAL."""
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if is_written:
        write_whole(tmp_path / "a.txt", b"whole")
        assert (tmp_path / "a.txt").read_bytes() == b"whole"
    else:
        with pytest.raises(OSError, match="Input/output error"):
            write_whole(tmp_path / "a.txt", b"whole")
