"""What can go wrong with a truth file, in one sentence each."""

from place_search.core.errors import PlaceSearchError, WrongParameterError


class TruthError(PlaceSearchError):
    """A truth file or a database list that cannot be used as it stands."""


class MeasureError(WrongParameterError, TruthError):
    """A protocol or an N of Recall@N that there is not."""
