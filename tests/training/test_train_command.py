"""`place-search train` and `export`, as they are typed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from place_search.cli.app import app
from place_search.evaluation.results import find_published
from place_search.models import read_card
from tests.training.conftest import Render
from tests.training.kill_run import write_plainly


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the program; models are written without their graphs."""
    monkeypatch.setattr("place_search.training.loop.train.write_model", write_plainly)
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})

    def invoke(*arguments: str | Path) -> Result:
        return runner.invoke(app, [str(argument) for argument in arguments])

    return invoke


def test_train_says_what_it_gained(
    run: Callable[..., Result], render: Render, tmp_path: Path
) -> None:
    folder = render(12, 3)
    arguments = ["train", folder, "--preset", "cpu-smoke", "--epochs", "1", "--batch", "6"]
    arguments += ["--val", folder, "--size", "128x96", "--views", "2"]
    result = run(*arguments, "--model", "lite0-netvlad", "--out", tmp_path / "m")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    output = " ".join(result.stderr.split())
    assert f"36 of the 36 queries of {folder} are trained on too, so that" in output
    [recall] = read_card(tmp_path / "m").recall
    assert recall.note.endswith("; 36 of its queries are trained on")
    assert f"Wrote {tmp_path / 'm'}: on {folder.name} (validation) R@1" in output
    # An evaluation of other data of this name shows no figure of these photos.
    assert find_published([recall], folder.name) == []
    assert "at epoch" in output
    best_epoch = read_card(tmp_path / "m").fitting["training"]["best_epoch"]
    assert ("No epoch raised it: the network is as before." in output) == (best_epoch == 0)
    again = run(*arguments, "--out", tmp_path / "m", "--resume")
    assert again.exit_code == 1
    assert "holds a run that is finished" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--preset", "none"], 1, "There is no preset 'none'"),
        (["--size", "big"], 2, "write width and height"),
        (["--size", "-128x96"], 2, "write width and height"),
        (["--seed", "-1"], 2, "greater than or equal to 0"),
        (["--positive-m", "30"], 1, "--positive-m 30 is above --negative-m 25"),
        (["--loss", "hinge"], 2, "must be one of triplet, multi-similarity"),
        ([], 1, "fit its vocabulary first with `place-search cluster"),
        (["--model", "none"], 1, "There is no model 'none'"),
    ],
)
def test_what_goes_wrong_is_said(
    run: Callable[..., Result],
    render: Render,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    result = run("train", render(3, 2), "--out", tmp_path / "m", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["cluster", "distil", "train", "whiten"])
def test_a_seed_that_no_library_takes_is_refused_before_any_work(
    run: Callable[..., Result], tmp_path: Path, command: str
) -> None:
    result = run(command, "--seed", str(2**31), "photos", "--out", tmp_path / "m")
    assert result.exit_code == 2
    assert "less than or equal to 2147483647" in result.stderr


def test_export_says_what_it_cannot(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("export", "lite0-netvlad", "--out", tmp_path / "m.pth.tar")
    assert result.exit_code == 1
    assert "has no names" in result.stderr
