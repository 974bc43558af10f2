"""What can go wrong with a truth file, in one sentence each."""

from place_search.core.errors import PlaceSearchError


class TruthError(PlaceSearchError):
    """A truth file or a database list that cannot be used as it stands."""
