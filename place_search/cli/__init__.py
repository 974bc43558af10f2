"""The command line."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`main`, as version 0.1 offered it here; importing it takes the start of the program."""
    if name == "main":
        from place_search.cli.app import main

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
