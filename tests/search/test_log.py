"""The log's lines: of JSON with --log, else sentences without what a terminal would obey."""

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import pytest

from place_search.search.server import log
from place_search.search.server.log import json_line, logging_to_stderr


def speak() -> None:
    log = logging.getLogger("place_search.index")
    log.error("%s is damaged.", "a\nb\x1b[2J.h5")
    log.warning(json_line(event="index replaced", was=None))
    try:
        raise ValueError("odd")
    except ValueError:
        logging.getLogger("a.library").exception("It failed.")
    warnings.warn("An overflow.", RuntimeWarning, stacklevel=1)


@pytest.mark.filterwarnings("default")
def test_each_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(all_json=True):
        speak()
    damage, event, failure, warning = map(json.loads, capsys.readouterr().err.splitlines())
    assert (damage["event"], damage["message"]) == ("error", "a\nb\x1b[2J.h5 is damaged.")
    assert event == {"time": event["time"], "event": "index replaced"}
    assert failure["message"] == "It failed."
    assert failure["traceback"].endswith("ValueError: odd")
    assert "An overflow." in warning["message"]
    assert all("time" in line for line in (damage, event, failure, warning))


@pytest.mark.filterwarnings("ignore")
def test_sentences_stay_on_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(all_json=False):
        speak()
    damage, event, failure, *trace = capsys.readouterr().err.splitlines()
    assert damage == "a\\nb\\x1b[2J.h5 is damaged."
    assert json.loads(event)["event"] == "index replaced"
    assert (failure, trace[-1]) == ("It failed.", "ValueError: odd")


Ends = Callable[[], tuple[int, int]]


@contextmanager
def pipe_for_errors(
    monkeypatch: pytest.MonkeyPatch, ends: Ends = os.pipe
) -> Iterator[tuple[TextIO, int]]:
    """Standard error is a pipe or so: its end to read, and the number of the other end."""
    reading, writing = ends()
    with (
        os.fdopen(reading, encoding="utf-8") as read,
        os.fdopen(writing, "w", encoding="utf-8") as written,
        monkeypatch.context() as patch,
    ):
        patch.setattr(sys, "stderr", written)
        yield read, writing


@pytest.mark.parametrize("ends", [os.pipe, os.openpty])
def test_a_log_that_nobody_reads_does_not_hold_up_the_stop(
    monkeypatch: pytest.MonkeyPatch, ends: Ends
) -> None:
    monkeypatch.setattr(log, "WAITING_LINES", 2)
    monkeypatch.setattr(log, "LAST_SECONDS", 0.0)
    with pipe_for_errors(monkeypatch, ends) as (_, writing):
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while os.write(writing, b"x" * 4096):
                pass
        os.set_blocking(writing, True)
        with logging_to_stderr(all_json=True):
            for _ in range(9):
                logging.getLogger("place_search").error("It failed.")


def test_a_long_line_comes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    with pipe_for_errors(monkeypatch) as (read, _):
        with logging_to_stderr(all_json=True):
            logging.getLogger("place_search").error("é" * 9_999)
        assert json.loads(read.readline())["message"] == "é" * 9_999
