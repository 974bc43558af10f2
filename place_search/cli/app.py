"""The command-line program `place-search`."""

import errno
import gc
import os
import sys
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from place_search.cli.commands import command_groups, first_line, load_command
from place_search.cli.console import InterruptedRunError, print_error, print_message
from place_search.cli.plain_numbers import take_plain_numbers
from place_search.cli.repeated_options import tell_of_repeated_options
from place_search.core.errors import PlaceSearchError, out_of_reach, torn_module
from place_search.core.memory import require_address_space
from place_search.core.plugins import fault_of_part
from place_search.core.startup import INTERRUPTED, Interruptible
from place_search.core.version import program_version
from place_search.settings import unknown_variables

SERVING = ("serve", "demo")
"""Commands that refuse environment variables which name no setting."""

# Errors of a stream that cannot be written: a full disk, a device error, a closed pipe.
_UNWRITABLE = (errno.ENOSPC, errno.EIO, errno.EPIPE)


class Program(TyperGroup):
    """Imports the requested command; turns its errors into a sentence and an exit code."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.listing = False
        # Only names: `get_command` imports the requested command.
        self.commands = {name: TyperCommand(name) for name in command_groups()}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command; only its name and first line while the help is written."""
        group = command_groups().get(cmd_name)
        if group is None:
            return None
        if self.listing:
            panel = group.capitalize()
            return TyperCommand(cmd_name, help=first_line(cmd_name), rich_help_panel=panel)
        command = get_command(load_command(cmd_name))
        command.name = cmd_name
        take_plain_numbers(command)
        tell_of_repeated_options(command)
        gc.enable()
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        self.listing = True
        super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            with Interruptible():
                return super().invoke(ctx)
        except InterruptedRunError as error:
            print_error(str(error))
            raise typer.Exit(INTERRUPTED) from None
        except KeyboardInterrupt:
            print_error("Interrupted; nothing was changed.")
            raise typer.Exit(INTERRUPTED) from None
        except PlaceSearchError as error:
            print_error(str(error))
            raise typer.Exit(2 if error.is_usage else 1) from None
        except Exception as error:
            fault = fault_of_part(error) or out_of_reach(error) or torn_module(error)
            if not fault:
                raise
            print_error(fault)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=Program,
    help="Find the place of a photo: index a folder of place photos, then search it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"place-search {program_version()}")
        raise typer.Exit


@app.callback()
def _program(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "-V", "--version", callback=_print_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Options before the command."""
    require_address_space()
    if (names := sys.getfilesystemencoding()) != "utf-8":
        print_message(
            f"File names are read as {names} here, so that those of UTF-8 may not be found; set "
            "PYTHONUTF8=1."
        )
    if context.invoked_subcommand not in SERVING:
        for sentence in unknown_variables():
            print_message(sentence)


def main() -> None:
    """Run the program with this process's arguments."""
    # Imports make no garbage, and collecting it takes a sixth of their time.
    gc.disable()
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # Escapes the letters of a name that the terminal's encoding lacks.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except OSError as error:
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        print_error(f"The output cannot be written ({error.strerror}); write it somewhere else.")
        sys.exit(1)


def _open_closed_streams() -> None:
    """Let what stands for a closed stream lead nowhere, as a daemon's may have been closed.

    Otherwise the next file that is opened gets its number, and what a library prints.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


if __name__ == "__main__":
    main()
