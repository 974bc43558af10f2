"""Output of the command line: results on stdout, everything else on stderr.

`place_search.cli.terminal` holds the output by Rich, whose import takes 20 ms.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from place_search.core.text import json_text, printable, printable_json

LISTED = 50
"""The largest number of a list's lines that are printed."""


class InterruptedRunError(Exception):
    """Ctrl-C in a command; the text is a sentence on what is kept."""


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
    """Print the sentence of an error to stderr."""
    from place_search.cli.terminal import ERR

    ERR.print(sentence, style="red")


def program_as_typed() -> list[str]:
    """The words to type for this program: its name if the shell finds it, else its path."""
    started = Path(sys.argv[0])
    if started.name == "__main__.py":
        return [sys.executable, "-m", "place_search"]
    on_path = shutil.which(started.name)
    return [started.name if on_path and started.samefile(on_path) else sys.argv[0]]


def print_message(sentence: str) -> None:
    """Print a sentence to stderr, apart from results."""
    from place_search.cli.terminal import ERR

    ERR.print(sentence)


def print_list(head: str, lines: Sequence[str], rest: str = "more.") -> None:
    """Print the first lines of a list below its head; nothing if it is empty.

    If there are more lines, the last one is their number and `rest`.
    """
    if not lines:
        return
    print_message(head)
    for line in lines[:LISTED]:
        print_message(f"  {line}")
    if len(lines) > LISTED:
        print_message(f"  … and {len(lines) - LISTED} {rest}")
