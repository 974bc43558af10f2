"""Output of the command line by Rich: tables, bars and colours."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

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
from rich.table import Table
from rich.text import Text

from place_search.core.progress import Progress as Report
from place_search.core.text import printable


class _PlainConsole(Console):
    """A console that interprets no markup in texts, and escapes control characters.

    Names of files, data sets and models are other people's text.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """The text without markup, emoji or highlighting, whatever the options."""
        plain = {"markup": False, "emoji": False, "highlight": False}
        return super().render_str(printable(text), **{**options, **plain})


OUT = _PlainConsole(highlight=False)
ERR = _PlainConsole(stderr=True, highlight=False, soft_wrap=True)


def print_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, words: Collection[str] = ()
) -> None:
    """Print a table; columns are right-aligned except those whose heading is among `words`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in head:
        table.add_column(heading, justify="left" if heading in words else "right")
    for row in rows:
        table.add_row(*row)
    OUT.print(table)


@contextmanager
def progress(unit: str = "photos") -> Iterator[Report]:
    """Show a bar with rate and remaining time for each stage of a run; only on a terminal."""
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
