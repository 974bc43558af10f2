"""Processes of the program that tests start."""

import os


def unmeasured() -> dict[str, str]:
    """The environment of a process without coverage, which makes it a third slower.

    For one that shows coverage nothing new, or is interrupted, which may leave its lock taken.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
