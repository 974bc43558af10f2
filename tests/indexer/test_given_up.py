"""Frames and views of an addition that failed: the next change of the index deletes them."""

import json
from pathlib import Path
from typing import Any

import pytest

from place_search.indexer import (
    IndexWriteError,
    VideoRequest,
    add_photos,
    build_index,
    edit_place,
    open_source,
    remove_places,
)
from place_search.models import Model
from tests.indexer.conftest import render
from tests.indexer.test_video_source import write_video
from tests.panoramas import gpano, photo, scene, sizes

pytest.importorskip("av")


JUNK = b"\xff\n" + b"[" * 100_000 + b"\n"


def write_panorama(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(photo(scene(1), gpano(**sizes(2048, 1024), PoseHeadingDegrees=30)))
    return path


def kept(index: Path) -> set[str]:
    """The files beside an index, without hidden ones."""
    return {
        path.relative_to(index.parent).as_posix()
        for suffix in ("-frames", "-views")
        for path in index.with_name(index.name + suffix).rglob("*")
        if path.is_file() and path.name not in (".adding", ".views.json")
    }


def read(index: Path, data: Path, **options: Any) -> Any:
    return open_source(data, None, VideoRequest(index, **options))


def test_what_nobody_adds_any_more_goes_with_the_next_change(built: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4")
    write_panorama(tmp_path / "more" / "round.jpg")
    sources = [read(built, clip, fps=1), read(built, tmp_path / "more")]
    assert len(kept(built)) == 7 + 12
    edit_place(built, 0, {"note": "an addition is under way"})
    assert len(kept(built)) == 7 + 12
    del sources
    edit_place(built, 0, {"note": "it was given up"})
    assert not kept(built)
    assert not (tmp_path / "index-frames" / "clip").exists()


def test_what_places_have_stays(built: Path, tmp_path: Path, model: Model) -> None:
    clip = write_video(tmp_path / "clip.mp4")
    write_panorama(tmp_path / "more" / "round.jpg")
    add_photos(built, read(built, clip, fps=1), model)
    add_photos(built, read(built, tmp_path / "more"), model)
    before = kept(built)
    remove_places(built, [11, 12], compact=False)  # which can be restored
    edit_place(built, 0, {"note": "open"})
    assert kept(built) == before
    assert len(before) == 7 + 12


def test_frames_of_a_panoramic_video_stay_with_their_views(tmp_path: Path, model: Model) -> None:
    clip = write_video(tmp_path / "clip.mp4", seconds=1, size=(1024, 2048))
    index = tmp_path / "index"
    build_index(read(index, clip, fps=1, panoramas="2:1"), index, model)
    before = kept(index)
    assert len(before) == 2 + 12
    edit_place(index, 0, {"note": "open"})
    assert kept(index) == before


def test_other_files_there_stay(built: Path, tmp_path: Path) -> None:
    read(built, write_video(tmp_path / "clip.mp4"), fps=1)
    own = tmp_path / "index-frames" / "clip" / "mine.txt"
    own.write_text("mine")
    edit_place(built, 0, {"note": "open"})
    assert kept(built) == {"index-frames/clip/mine.txt"}


def test_what_another_user_left_stops_no_change(unprivileged: Path, model: Model) -> None:
    render(unprivileged / "photos" / "a.jpg", 1)
    index = unprivileged / "index"
    build_index(open_source(unprivileged / "photos"), index, model)
    read(index, write_video(unprivileged / "clip.mp4"), fps=1)
    note = unprivileged / "index-frames" / ".adding"
    note.chmod(0o400)
    assert len(read(index, unprivileged / "clip.mp4", fps=1).photos) == 6
    with pytest.raises(IndexWriteError, match=r"Frames cannot be kept in .*Permission denied"):
        read(index, unprivileged / "clip.mp4", fps=2)
    edit_place(index, 0, {"note": "not by the owner of the frames"})
    assert len(kept(index)) == 7
    note.chmod(0o600)
    edit_place(index, 0, {"note": "by the owner"})
    assert not kept(index)


@pytest.mark.parametrize("name", ["../mine", "/{tmp}/mine", "clip/../../mine", "clip\0"])
def test_a_note_leads_out_of_its_folder_by_no_name(built: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "frame_1.jpg").write_bytes(b"mine")
    (tmp_path / "mine" / ".frames.json").write_bytes(b"{}")
    (tmp_path / "index-frames" / "clip").mkdir(parents=True)
    note = tmp_path / "index-frames" / ".adding"
    note.write_bytes(json.dumps(name.format(tmp=str(tmp_path)[1:])).encode() + b"\n" + JUNK)
    edit_place(built, 0, {"note": "open"})
    assert (tmp_path / "mine" / "frame_1.jpg").exists()
    assert not note.read_bytes()


def test_a_link_in_place_of_a_note_empties_no_other_file(built: Path, tmp_path: Path) -> None:
    (tmp_path / "index-frames").mkdir()
    (tmp_path / "diary.txt").write_text("mine")
    (tmp_path / "index-frames" / ".adding").symlink_to(tmp_path / "diary.txt")
    edit_place(built, 0, {"note": "open"})
    with pytest.raises(IndexWriteError, match="symbolic links"):
        read(built, write_video(tmp_path / "clip.mp4"), fps=1)
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_photos_that_a_server_of_another_user_left_stop_no_change(
    unprivileged: Path, model: Model
) -> None:
    render(unprivileged / "photos" / "a.jpg", 1)
    index = unprivileged / "index"
    build_index(open_source(unprivileged / "photos"), index, model)
    note = unprivileged / "index-photos" / ".changing"
    note.parent.mkdir()
    note.write_text(f"{'0' * 32}.jpg\n")
    note.chmod(0o400)
    edit_place(index, 0, {"note": "not by the user of the server"})
    assert note.stat().st_size
    note.chmod(0o600)
    edit_place(index, 0, {"note": "by the user of the server"})
    assert not note.stat().st_size
