"""Errors of models."""

from place_search.core.errors import PlaceSearchError


class ModelError(PlaceSearchError):
    """A model folder that is missing, incomplete, altered or unusable on this machine."""


class VocabularyError(ModelError):
    """A model without a NetVLAD vocabulary to show."""
