"""Processes of the program that tests start."""

import os


def unmeasured() -> dict[str, str]:
    """The environment of a process without coverage, whose lock an interrupt may leave taken."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
