"""The commands, found by their files: GROUP/NAME.py holds the command NAME.

Its `command` is a function whose parameters Typer reads, or a `typer.Typer` of more commands. Only
the file of the command that runs is imported, so that it starts quickly.
"""

import ast
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

import typer

GROUPS = ("indexing", "searching", "evaluating", "modelling")
"""The folders, in the order in which `place-search --help` lists them."""


@cache
def command_groups() -> dict[str, str]:
    """The group of each command, in the order of the help."""
    folders = {group: Path(__file__).parent / group for group in GROUPS}
    return {
        module.name: group
        for group, folder in folders.items()
        for module in pkgutil.iter_modules([str(folder)])
    }


def load_command(name: str) -> typer.Typer:
    """Import a command as a program of its own."""
    command = import_module(f"{__name__}.{command_groups()[name]}.{name}").command
    if isinstance(command, typer.Typer):
        return command
    app = typer.Typer(add_completion=False)
    app.command(name)(command)
    return app


def first_line(name: str) -> str:
    """The first line of a command's docstring, without importing its module."""
    path = Path(__file__).parent / command_groups()[name] / f"{name}.py"
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name in ("command", "_command"):
            return (ast.get_docstring(node) or "").partition("\n")[0]
    raise LookupError(f"{path} has no function named command.")
