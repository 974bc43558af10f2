"""What can go wrong while fitting or training a model."""

from place_search.core.errors import PlaceSearchError


class TrainingError(PlaceSearchError):
    """A model cannot be fitted or trained on what was given."""
