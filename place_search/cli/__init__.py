"""The command line."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`main`, which version 0.1 had in this module; imported late, as it imports the program."""
    if name == "main":
        from place_search.cli.app import main

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
