"""Imports the room `training`, which needs packages outside the default install."""

from typing import Any


def training_room(purpose: str) -> Any:
    """The package `place_search.training`. Raises ModelError if a package for it is missing."""
    try:
        from place_search import training
    except ImportError as error:
        from place_search.models import ModelError

        raise ModelError(
            f"{purpose} needs {error.name}; run: pip install 'place-search[train]'."
        ) from None
    return training
