"""What the command line prints: results on stdout, everything else on stderr."""

import shutil
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from place_search.core.progress import Progress as Report
from place_search.core.text import json_text, printable, printable_json


class _PlainConsole(Console):
    """A console that takes no text for markup, and shows what a terminal would obey.

    Names of files, data sets and models are other people's text.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Text as it is; whatever asks for markup or emoji does not get it."""
        plain = {"markup": False, "emoji": False, "highlight": False}
        return super().render_str(printable(text), **{**options, **plain})


OUT = _PlainConsole(highlight=False)
ERR = _PlainConsole(stderr=True, highlight=False, soft_wrap=True)


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
    OUT.print(Text(printable(text)), soft_wrap=True)


def print_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, words: Collection[str] = ()
) -> None:
    """Print a table: columns of numbers, but for those whose heading is among `words`."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in head:
        table.add_column(heading, justify="left" if heading in words else "right")
    for row in rows:
        table.add_row(*row)
    OUT.print(table)


def print_error(sentence: str) -> None:
    """Say in one sentence what went wrong."""
    ERR.print(Text(printable(sentence), style="red"))


def program_as_typed() -> list[str]:
    """What to type for this program: its name where the shell finds it, else how it was started."""
    started = Path(sys.argv[0])
    if started.name == "__main__.py":
        return [sys.executable, "-m", "place_search"]
    found = shutil.which(started.name)
    return [started.name if found and started.samefile(found) else sys.argv[0]]


def say(sentence: str) -> None:
    """Tell what is going on, where it cannot be mistaken for a result."""
    ERR.print(Text(printable(sentence)))


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


@contextmanager
def progress(unit: str = "photos") -> Iterator[Report]:
    """A bar with rate and remaining time for each stage of a run; only on a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as bar:

        def advance(stage: str, done: int, total: int) -> None:
            if stage in tasks:
                bar.update(tasks[stage], completed=done)
            else:
                tasks[stage] = bar.add_task(stage, completed=done, total=total)

        yield advance


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(
            "" if speed is None else f"{speed:.1f} {self.unit}/s", style="progress.data.speed"
        )
