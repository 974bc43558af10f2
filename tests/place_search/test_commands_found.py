"""The commands are found by their files, and each is imported only when it runs."""

import json
import subprocess
import sys

from typer import Typer

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
