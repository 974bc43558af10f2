"""Processes of the program that tests start."""

import os
import signal


def unmeasured() -> dict[str, str]:
    """The environment of a process without coverage, whose lock an interrupt may leave taken."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def heed_interrupts() -> None:
    """Undo what a shell does to processes in the background, whose children inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
