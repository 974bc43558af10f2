"""Runs of one name that begin at the same moment."""

import json
from pathlib import Path

import pytest

from place_search.models import find_model
from place_search.training import TrainingError
from place_search.training.loop import run_folder
from place_search.training.loop.run_folder import RunFolder, begin_run
from place_search.training.process_group import ProcessGroup


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
