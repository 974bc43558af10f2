"""Errors of fitting or training a model."""

from place_search.core.errors import PlaceSearchError


class TrainingError(PlaceSearchError):
    """A model that cannot be fitted or trained on the given data."""
