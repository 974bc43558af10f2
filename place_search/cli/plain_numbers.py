"""Numbers on the command line and in its variables: plain digits, as everywhere else."""

from functools import partial
from typing import Any

import typer

from place_search.core.tables import number_problem


def take_plain_numbers(command: Any) -> None:
    """Let a command, and those below it, refuse texts that Typer takes for numbers, as 1_0."""
    for inner in getattr(command, "commands", {}).values():
        take_plain_numbers(inner)
    for parameter in command.params:
        parameter.process_value = partial(_process, parameter, parameter.process_value)


def _process(parameter: Any, process: Any, context: Any, value: Any) -> Any:
    result = process(context, value)
    several = isinstance(value, tuple | list) and isinstance(result, tuple | list)
    for text, number in zip(value, result, strict=True) if several else [(value, result)]:
        if isinstance(text, str) and (problem := number_problem(text.strip(), {type(number)})):
            raise typer.BadParameter(f"'{text}': {problem}.", ctx=context, param=parameter)
    return result
