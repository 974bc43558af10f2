"""Errors of truths and of measurements."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from place_search.core.errors import PlaceSearchError, WrongParameterError


class TruthError(PlaceSearchError):
    """A truth file or a database list that cannot be used as it stands."""


class MeasureError(WrongParameterError, TruthError):
    """A parameter that an evaluation refuses, such as an unknown protocol."""


class UnwrittenReportError(TruthError):
    """A report that cannot be written; `measured` is what it was to tell, after hours perhaps."""

    measured: Any = None


@contextmanager
def keeping(measured: Any) -> Iterator[None]:
    """Let the error of a report that cannot be written keep what was measured.

    Raises:
        UnwrittenReportError: for a TruthError.
    """
    try:
        yield
    except TruthError as error:
        unwritten = UnwrittenReportError(str(error))
        unwritten.measured = measured
        raise unwritten from error
