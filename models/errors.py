"""What can be wrong with a model."""

from place_search.core.errors import PlaceSearchError


class ModelError(PlaceSearchError):
    """A model folder that is missing, incomplete, altered or not usable here."""


class VocabularyError(ModelError):
    """A model without a NetVLAD vocabulary that could be shown."""
