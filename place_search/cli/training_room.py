"""The room `training`, which needs packages that the default install leaves out."""

from typing import Any


def training_room(purpose: str) -> Any:
    """The package `place_search.training`, or a sentence that says what `purpose` needs."""
    try:
        from place_search import training
    except ImportError as error:
        from place_search.models import ModelError

        raise ModelError(
            f"{purpose} needs {error.name}; run: pip install 'place-search[train]'."
        ) from None
    return training
