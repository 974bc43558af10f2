"""Options of the command line that have one value: each is given once, as fields over HTTP."""

from collections import Counter
from functools import partial
from typing import Any

import typer


def take_options_once(command: Any) -> None:
    """Let a command, and those below it, refuse an option that is given again.

    Typer takes the last value and drops the others, such as the first of two databases.
    """
    for inner in getattr(command, "commands", {}).values():
        take_options_once(inner)
    command.make_parser = partial(_make_parser, command.make_parser)


def _make_parser(make: Any, context: Any) -> Any:
    parser = make(context)
    parser.parse_args = partial(_parse, parser.parse_args, context)
    return parser


def _parse(parse: Any, context: Any, args: list[str]) -> Any:
    values, others, order = parse(args)
    for parameter, count in Counter(order).items():
        if count > 1 and not (parameter.multiple or parameter.is_flag):
            raise typer.BadParameter(
                "it has one value and is given more than once; give it once.",
                ctx=context,
                param=parameter,
            )
    return values, others, order
