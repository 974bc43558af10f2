"""Options of the command line that have one value, and are given more than once."""

from collections import Counter
from functools import partial
from typing import Any

from place_search.cli.console import print_message


def tell_of_repeated_options(command: Any) -> None:
    """Let a command, and those below it, say that the last value of an option counts.

    Typer drops the others without a word, such as the first of two databases.
    """
    for inner in getattr(command, "commands", {}).values():
        tell_of_repeated_options(inner)
    command.make_parser = partial(_make_parser, command.make_parser)


def _make_parser(make: Any, context: Any) -> Any:
    parser = make(context)
    parser.parse_args = partial(_parse, parser.parse_args)
    return parser


def _parse(parse: Any, args: list[str]) -> Any:
    values, others, order = parse(args)
    for parameter, count in Counter(order).items():
        if count > 1 and not (parameter.multiple or parameter.is_flag):
            print_message(f"{parameter.opts[0]} is given {count} times; the last value counts.")
    return values, others, order
