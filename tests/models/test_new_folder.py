"""The scratch folder of a new model: what a killed process leaves goes with the next one."""

import errno
import fcntl
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from place_search.models import ModelError, find_model, read_card, write_card
from place_search.models.new_folder import copy_model, new_folder
from tests.processes import unmeasured

WRITE = """
import sys
from pathlib import Path
from place_search.models.new_folder import new_folder

with new_folder(Path(sys.argv[1])) as scratch:
    (scratch / "graph").write_text("half of it")
    print(scratch, flush=True)
    sys.stdin.read()
"""


def writing(out: Path) -> subprocess.Popen[str]:
    """A process that is in the middle of writing a model."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=unmeasured(),
    )


def test_the_scratch_of_a_killed_process_is_removed_and_that_of_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    out, other = tmp_path / "mine", tmp_path / "mine-too"
    with writing(out) as killed, writing(out) as living, writing(other) as another:
        left, held, others = (
            Path(process.stdout.readline().strip())
            for process in (killed, living, another)
            if process.stdout is not None
        )
        for process in (killed, another):
            process.kill()
            process.wait()
        assert (left / "graph").is_file()

        with new_folder(out) as scratch:
            (scratch / "graph").write_text("whole")
            assert not left.exists()
            assert (held / "graph").is_file()
            assert (others / "graph").is_file(), "it is of another model"
        assert [path.name for path in out.iterdir()] == ["graph"]

        living.communicate("")
        assert living.returncode == 1, "the model exists"
    assert sorted(tmp_path.iterdir()) == sorted([out, others.parent])


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "may not be written; change its permissions or choose another folder"),
        (errno.ENOSPC, "is on a full disk; free some space"),
        (errno.ENOLCK, "is on a drive that refuses this"),
    ],
)
def test_why_a_model_cannot_be_written_decides_what_is_advised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(*_given: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ModelError) as told, new_folder(tmp_path / "mine"):
        pytest.fail("it was written")
    assert str(told.value).startswith(f"{tmp_path / 'mine'} {said}"), told.value
    assert str(told.value).endswith("PLACE_SEARCH_WEIGHTS names another folder for models.")
    assert not [*tmp_path.iterdir()]


def test_a_card_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "sly").mkdir()
    card = read_card(find_model())
    write_card(replace(card, files={**card.files, "../../x": ""}), tmp_path / "sly")
    with pytest.raises(ModelError, match="names files outside its folder"):
        copy_model(tmp_path / "sly", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["sly"]
