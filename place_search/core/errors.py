"""The one error family of place-search: sentences that say what is wrong, where, and the remedy."""


class PlaceSearchError(Exception):
    """A problem its reader can mend; `str(error)` is one sentence fit to show as it is."""
