"""The folder of a run: two that begin at the same moment, and what cannot be written."""

import errno
import json
from pathlib import Path

import pytest

from place_search.models import find_model
from place_search.training import TrainingData, TrainingError, preset, train
from place_search.training.data.open_places import open_places
from place_search.training.loop import run_folder
from place_search.training.loop.run_folder import RunFolder, begin_run, data_stamp, find_run
from place_search.training.process_group import ProcessGroup
from tests.training.conftest import Render


def begin(out: Path, seed: int, data: str = "photos") -> RunFolder:
    return begin_run(out, find_model(), {"seed": seed}, data, [[], []], ProcessGroup())


@pytest.mark.parametrize("was_finished", [False, True])
def test_a_run_that_begins_at_the_same_moment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was_finished: bool
) -> None:
    out = tmp_path / "m"
    if was_finished:
        begin(out, 0).close()
    check = run_folder.require_no_run

    def late(out: Path) -> None:
        check(out)
        monkeypatch.setattr(run_folder, "require_no_run", check)
        begin(out, 1)

    monkeypatch.setattr(run_folder, "require_no_run", late)
    with pytest.raises(TrainingError, match="holds a run already"):
        begin(out, 2)
    assert json.loads((out.with_name("m.run") / "run.json").read_bytes())["recipe"] == {"seed": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["m.run"]


@pytest.mark.usefixtures("plainly")
def test_only_an_error_of_writing_is_told_as_one(
    render: Render, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = TrainingData(render(12, 3), render(6, 2, first=500))
    config = preset("cpu-smoke", {"epochs": 1})

    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("place_search.training.loop.train.set_mean", fail)
        with pytest.raises(OSError, match="No space left"):
            train(data, tmp_path / "m", config=config, model="lite0-netvlad")
    for writing in ("train.replace_model", "run_folder.lock"):
        with monkeypatch.context() as patch:
            patch.setattr(f"place_search.training.loop.{writing}", fail)
            with pytest.raises(TrainingError, match=r"m\.run is on a full disk; .* --resume"):
                train(data, tmp_path / "m", config=config, resume=True)


def test_photos_that_were_replaced_since_are_other_photos(render: Render, tmp_path: Path) -> None:
    """Features that are kept of the photos before would be mixed with those of the new ones."""
    folder = render(3, 2)
    before = data_stamp(open_places(folder), None)
    begin(tmp_path / "m", 0, before)
    find_run(tmp_path / "m", {"seed": 0}, None, data_stamp(open_places(folder), None))
    photo = folder / "001-1.png"
    photo.write_bytes(photo.read_bytes() + b"more")
    after = data_stamp(open_places(folder), None)
    with pytest.raises(TrainingError, match="began with other photos; bring back the list and the"):
        find_run(tmp_path / "m", {"seed": 0}, None, after)
    begin(tmp_path / "old", 0, before[:32])  # of a version without sizes
    assert find_run(tmp_path / "old", {"seed": 0}, None, after) is not None
    begin(tmp_path / "damaged", 0, "")
    with pytest.raises(TrainingError, match=r"run\.json is damaged"):
        find_run(tmp_path / "damaged", {"seed": 0}, None, after)
