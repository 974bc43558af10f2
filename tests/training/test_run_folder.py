"""The folder of a run: two that begin at the same moment, and what cannot be written."""

import errno
import json
from pathlib import Path

import pytest

from place_search.models import find_model
from place_search.training import TrainingData, TrainingError, preset, train
from place_search.training.loop import run_folder
from place_search.training.loop.run_folder import RunFolder, begin_run
from place_search.training.process_group import ProcessGroup
from tests.training.conftest import Render


def begin(out: Path, seed: int) -> RunFolder:
    return begin_run(out, find_model(), {"seed": seed}, "photos", [[], []], ProcessGroup())


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
