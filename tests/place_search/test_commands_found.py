"""The commands are found by their files, and each is imported only when it runs."""

import importlib
import json
import py_compile
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import Result

from place_search.cli.commands import command_groups, first_line, load_command


def test_every_command_loads_and_says_what_it_does() -> None:
    assert len(command_groups()) > 20
    for name in command_groups():
        assert isinstance(load_command(name), Typer)
        assert first_line(name).endswith("."), name


def test_only_the_command_that_runs_is_imported() -> None:
    code = (
        "import json, sys\n"
        "from place_search.cli.app import app\n"
        "try:\n"
        "    app(['key', '--help'])\n"
        "except SystemExit:\n"
        "    prefix = 'place_search.cli.commands.'\n"
        "    names = [name.removeprefix(prefix) for name in sys.modules if prefix in name]\n"
        "    print(json.dumps(names), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    assert json.loads(done.stderr) == ["searching", "searching.key"]


def test_a_compiled_module_that_a_full_disk_cut_short_is_told_and_goes(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All commands that needed it ended in "Aborted.", also when there was room again."""
    module = tmp_path / "cut_short.py"
    module.write_text("answer = 42\n")
    compiled = Path(py_compile.compile(str(module)) or "")
    compiled.write_bytes(compiled.read_bytes()[:30])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        "place_search.cli.app.load_command", lambda _: importlib.import_module("cut_short")
    )
    result = run("key", "--help")
    assert (result.exit_code, result.stderr) == (
        1,
        f"{compiled} was cut short, as by a full disk, and is deleted; make room, then run the "
        "same command again.\n",
    )
    assert importlib.import_module("cut_short").answer == 42
