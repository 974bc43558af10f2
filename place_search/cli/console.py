"""What the command line prints: results on stdout, everything else on stderr.

`place_search.cli.terminal` has what needs Rich, whose import takes 20 ms.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from place_search.core.text import json_text, printable, printable_json

LISTED = 50
"""Lines of a list that are shown."""


class InterruptedRunError(Exception):
    """Ctrl-C in a command; the text says what is kept."""


def print_json(value: Any) -> None:
    """Print a result as JSON and nothing else."""
    escaped = (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8")
    typer.echo(printable_json(json_text(value, indent=2, ascii_only=escaped)))


def print_line(text: str) -> None:
    """Print a line of a result."""
    # `typer.echo` would send UTF-8 to a terminal of ASCII, in place of escapes.
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()


def print_error(sentence: str) -> None:
    """Say in one sentence what went wrong."""
    from place_search.cli.terminal import ERR

    ERR.print(sentence, style="red")


def program_as_typed() -> list[str]:
    """What to type for this program: its name where the shell finds it, else how it was started."""
    started = Path(sys.argv[0])
    if started.name == "__main__.py":
        return [sys.executable, "-m", "place_search"]
    found = shutil.which(started.name)
    return [started.name if found and started.samefile(found) else sys.argv[0]]


def say(sentence: str) -> None:
    """Tell what is going on, where it cannot be mistaken for a result."""
    from place_search.cli.terminal import ERR

    ERR.print(sentence)


def say_list(head: str, lines: Sequence[str], more: str = "more.") -> None:
    """Tell the first lines of a list below its head, and how many more there are; nothing of none.

    `more` goes on where the number ends.
    """
    if not lines:
        return
    say(head)
    for line in lines[:LISTED]:
        say(f"  {line}")
    if len(lines) > LISTED:
        say(f"  … and {len(lines) - LISTED} {more}")
