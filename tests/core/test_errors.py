"""Errors that leave a process, as those of a pool's workers do."""

import copy
import pickle
from collections.abc import Callable, Iterator

import pytest

import place_search.demo_photos
import place_search.evaluation
import place_search.search.pairs
import place_search.search.server  # noqa: F401 - their errors are looked at
from place_search.core.errors import PlaceSearchError, WrongParameterError


def kinds(of: type[PlaceSearchError]) -> Iterator[type[PlaceSearchError]]:
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_every_error_is_copied_whole(clone: Callable[[PlaceSearchError], PlaceSearchError]) -> None:
    told = set(kinds(PlaceSearchError))
    assert len(told) > 30
    for kind in told:
        wrong = issubclass(kind, WrongParameterError)
        error = kind("What is wrong.", "k") if wrong else kind("What is wrong.")
        copied = clone(error)
        assert type(copied) is kind
        assert str(copied) == "What is wrong."
        assert vars(copied) == vars(error)
        assert vars(error).get("parameters") == (("k",) if wrong else None)
