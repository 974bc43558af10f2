"""Errors of truths and of measurements."""

from place_search.core.errors import PlaceSearchError, WrongParameterError


class TruthError(PlaceSearchError):
    """A truth file or a database list that cannot be used as it stands."""


class MeasureError(WrongParameterError, TruthError):
    """A parameter that an evaluation refuses, such as an unknown protocol."""
