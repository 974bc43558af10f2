"""The descriptors that an unfinished track keeps, from which the same command continues."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from place_search.core.errors import PlaceSearchError
from place_search.core.files import locked_file
from place_search.indexer import Index
from place_search.models import Model
from place_search.photos import OversizedPhotoError, Photo
from place_search.search.tracks.frame_file import FrameFile
from place_search.search.tracks.inputs import open_input
from place_search.search.tracks.track import track_frames
from tests.full_disk import files_up_to
from tests.search.tracks.test_track import NORTHWARDS, photos_of, track_of


@pytest.mark.slow
def test_a_run_that_was_interrupted_goes_on(
    street: Any, index: Index, model: Model, tmp_path: Path
) -> None:
    folder = photos_of(street, tmp_path / "frames", NORTHWARDS)
    seen: list[tuple[str, int]] = []

    def stop(stage: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    def note(stage: str, done: int, total: int) -> None:
        seen.append((stage, done))

    with pytest.raises(KeyboardInterrupt):
        track_of(index, model, folder, progress=stop)
    track = track_of(index, model, folder, progress=note)
    assert [done for stage, done in seen if stage == "Describing"] == [5, 6, 7, 8]
    assert [frame.place for frame in track.frames] == [f"{at:02d}.jpg" for at in NORTHWARDS]


@pytest.mark.slow
def test_frames_that_could_not_be_read_are_read_again(
    street: Any, index: Index, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a larger --max-megapixels, or after a drive failed for a while."""
    folder = photos_of(street, tmp_path / "frames", NORTHWARDS)

    def refuse(self: Model, path: Path) -> Photo:
        raise OversizedPhotoError(f"{path.name} is too large.")

    with monkeypatch.context() as patched:
        patched.setattr(Model, "read", refuse)
        for _ in range(2):
            with pytest.raises(PlaceSearchError, match=r"can be read: frame_0.jpg is too large"):
                track_of(index, model, folder)
    track = track_of(index, model, folder)
    assert [frame.place for frame in track.frames] == [f"{at:02d}.jpg" for at in NORTHWARDS]
    assert all(frame.error is None for frame in track.frames)


def test_kept_descriptors_of_other_frames_are_not_taken(tmp_path: Path) -> None:
    with locked_file(tmp_path / "kept") as file:
        first = FrameFile(file, 4, "these")
        first.write(0, np.ones(4, np.float32))
        first.extend(2)
    with (tmp_path / "kept").open("ab") as stream:
        stream.write(b"half a row")
    with locked_file(tmp_path / "kept") as file:
        again = FrameFile(file, 4, "these")
        assert again.count == 2
        row = again.read(0)
        assert row is not None
        assert row.tolist() == [1, 1, 1, 1]
        assert again.read(1) is None
        assert FrameFile(file, 4, "others").count == 0


def test_two_runs_do_not_keep_their_frames_in_one_file(
    street: Any, index: Index, model: Model, tmp_path: Path
) -> None:
    source = open_input(photos_of(street, tmp_path / "walk", [3]))
    with locked_file(tmp_path / "kept") as file:
        first = FrameFile(file, 4, "these")
        first.write(0, np.ones(4, np.float32))
        with pytest.raises(PlaceSearchError, match="Another process is writing") as refused:
            track_frames(index, model, source, tmp_path / "kept")
        assert type(refused.value) is PlaceSearchError, "no index is written"
        assert first.read(0) is not None
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o600


def test_a_row_that_a_full_disk_takes_in_part_is_none(tmp_path: Path) -> None:
    with locked_file(tmp_path / "kept") as opened:
        file = FrameFile(opened, 1024, "these")
        file.write(0, np.ones(1024, np.float32))
        size = (tmp_path / "kept").stat().st_size
        with files_up_to(size + 2000), pytest.raises(PlaceSearchError, match="free some space"):
            file.write(1, np.ones(1024, np.float32))
        assert file.count == 1
    with locked_file(tmp_path / "kept") as opened:
        assert FrameFile(opened, 1024, "these").count == 1
