"""The log's lines: of JSON with --log, else sentences without what a terminal would obey."""

import json
import logging
import warnings

import pytest

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
