"""What is no regular file is never waited for: a named pipe gives nothing, a device no end."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from place_search.core.errors import PlaceSearchError
from place_search.core.files import (
    locked_file,
    open_note,
    open_regular,
    read_regular,
    replacing,
    sha256_of,
    size_and_time,
    size_of,
    write_whole,
)
from place_search.core.tables import open_table, read_lines
from place_search.indexer import build_index, open_index, open_source
from place_search.indexer.descriptor_files.read import open_descriptor_file
from place_search.indexer.sources.split import read_split
from place_search.indexer.sources.walk import is_photo
from place_search.models import open_model
from place_search.photos import UnreadablePhotoError, decode_photo
from place_search.photos.decoding import inspect_position
from place_search.search.server.routes.tiles import TileFile
from tests.processes import unmeasured


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A named pipe; a test that waits on it is interrupted."""
    path = tmp_path / "pipe.jpg"
    os.mkfifo(path)
    old = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(20)
    yield path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


@pytest.mark.parametrize("read", [open_regular, read_regular, sha256_of])
def test_a_pipe_or_a_device_is_not_opened(pipe: Path, read: Callable[[Path], object]) -> None:
    for path in (pipe, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(OSError, match="not a regular file"):
            read(path)
    with pytest.raises(IsADirectoryError):
        read(pipe.parent)
    with pytest.raises(FileNotFoundError):
        read(pipe.parent / "nothing")


@pytest.mark.parametrize("leave", [os.symlink, os.link, lambda _, part: os.mkfifo(part)])
def test_what_others_left_at_a_temporary_name_is_not_written_to(
    leave: Callable[[Path, Path], None], pipe: Path
) -> None:
    mine, out = pipe.with_name("mine"), pipe.with_name("out.csv")
    mine.write_bytes(b"precious")
    leave(mine, pipe.with_name("out.csv.part"))
    write_whole(out, b"new")
    assert (mine.read_bytes(), out.read_bytes(), out.is_symlink()) == (b"precious", b"new", False)
    with replacing(out) as part:
        assert part.read_bytes() == b""


@pytest.mark.parametrize(("before", "after"), [(0o600, 0o600), (0o444, 0o644), (0o666, 0o644)])
def test_nobody_may_read_more_than_before(tmp_path: Path, before: int, after: int) -> None:
    out = tmp_path / "places.csv"
    old = os.umask(0o022)
    try:
        write_whole(out, b"old")
        assert stat.S_IMODE(out.stat().st_mode) == 0o644
        out.chmod(before)
        write_whole(out, b"new")
    finally:
        os.umask(old)
    assert stat.S_IMODE(out.stat().st_mode) == after


def test_the_work_of_an_interrupted_run_is_in_no_link(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"precious")
    link = tmp_path / ".out.csv.answers"
    link.symlink_to(mine)
    with pytest.raises(PlaceSearchError, match="it is a link"), locked_file(link) as opened:
        opened.truncate(0)
    assert mine.read_bytes() == b"precious"


def test_a_note_is_neither_a_pipe_nor_a_link(pipe: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        open_note(pipe)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="symbolic links"):
        open_note(tmp_path / "link")
    assert not (tmp_path / "nowhere").exists()


def test_a_pipe_is_no_photo(pipe: Path) -> None:
    with pytest.raises(UnreadablePhotoError, match="not a regular file"):
        decode_photo(pipe)
    assert inspect_position(pipe) == (None, ())
    assert not is_photo(pipe.rename(pipe.with_suffix("")))


def test_a_pipe_is_no_list(pipe: Path) -> None:
    with pytest.raises(PlaceSearchError, match="not a regular file"):
        read_lines(pipe, error=PlaceSearchError)
    with (
        pytest.raises(PlaceSearchError, match="not a regular file"),
        open_table(pipe, error=PlaceSearchError),
    ):
        pass
    for ending in ("npz", "mat", "csv"):
        pipe = pipe.rename(pipe.with_suffix(f".{ending}"))
        with pytest.raises(PlaceSearchError, match="is a pipe or device; give a folder of photos"):
            open_source(pipe)
        if ending != "csv":
            with pytest.raises(PlaceSearchError, match="it is not a regular file"):
                read_split(pipe)


@pytest.mark.parametrize("ending", ["npy", "npz", "h5"])
def test_a_pipe_holds_no_descriptors(pipe: Path, ending: str) -> None:
    with pytest.raises(PlaceSearchError, match="is a pipe or device; name"):
        open_descriptor_file(pipe.rename(pipe.with_suffix(f".{ending}")))


def test_a_pipe_is_no_ground_for_a_map(pipe: Path) -> None:
    with pytest.raises(PlaceSearchError, match="it is not a regular file"):
        TileFile(pipe)


def test_an_index_of_pipes_is_none(pipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (320, 240), "red").save(photos / "a.jpg")
    build_index(open_source(photos), folder, open_model())
    for file in (folder / "manifest.json", *sorted((folder / "descriptors").iterdir())):
        whole = file.rename(file.with_name("whole"))
        os.mkfifo(file)
        with pytest.raises(PlaceSearchError):
            open_index(folder).place(0)
        file.unlink()
        whole.rename(file)
    assert open_index(folder).place(0).name == "a.jpg"


@pytest.mark.parametrize(
    "command",
    [
        ("describe", "PIPE", "--out", "d.h5"),
        ("describe", "good.jpg", "--out", "PIPE"),
        ("compare", "PIPE", "good.jpg"),
        ("index", "PIPE", "--out", "index"),
        ("doctor", "."),
        ("eval", "."),
    ],
)
@pytest.mark.slow
def test_no_command_waits_for_a_pipe(pipe: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    signal.alarm(0)
    Image.new("RGB", (320, 240), "red").save(tmp_path / "good.jpg")
    given = [str(pipe) if part == "PIPE" else part for part in command]
    done = subprocess.run(
        [sys.executable, "-m", "place_search", *given],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=unmeasured(),
    )
    assert "Traceback" not in done.stderr


def test_an_interrupt_while_a_file_is_opened_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream that was made by then closes the file; a second time would be an error."""
    (tmp_path / "a").write_bytes(b"a")
    closed: list[int] = []

    def interrupted(handle: int) -> os.stat_result:
        closed.append(handle)
        raise KeyboardInterrupt

    monkeypatch.setattr("place_search.core.files.os.fstat", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_regular(tmp_path / "a")
    monkeypatch.undo()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(closed[0])


def test_a_file_that_is_not_there_has_neither_size_nor_time(tmp_path: Path) -> None:
    file = tmp_path / "a"
    assert size_and_time(file) is None
    assert size_of(file) == -1
    file.write_bytes(b"four")
    assert size_and_time(file) == (4, file.stat().st_mtime_ns)
    assert size_of(file) == 4
