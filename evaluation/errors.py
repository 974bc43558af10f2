"""What can go wrong with a truth file or a calibration, in one sentence each."""

from place_search.core.errors import PlaceSearchError, WrongParameterError


class TruthError(PlaceSearchError):
    """A truth file or a database list that cannot be used as it stands."""


class MeasureError(WrongParameterError, TruthError):
    """A protocol or an N of Recall@N that there is not."""


class CalibrationError(PlaceSearchError):
    """An index on whose photos no calibration can be measured."""
