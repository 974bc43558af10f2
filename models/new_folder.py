"""The folder of a new model, which appears whole or not at all."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from place_search.core.files import scratch_folder
from place_search.models.errors import ModelError


def free_folder(folder: Path, name: str) -> Path:
    """Where a new model of this name goes.

    Raises:
        ModelError: the name cannot be a model's id, or is taken.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ModelError(
            f"'{name}' cannot be a model's id; use up to 64 letters, digits, dots, dashes and "
            "underscores."
        )
    require_free(folder / name)
    return folder / name


def require_free(out: Path) -> None:
    """Raise `ModelError` where `out` exists, as no model is overwritten, or cannot be in a card."""
    try:
        str(out).encode()
    except UnicodeEncodeError:
        raise ModelError(f"The name {out} is not UTF-8; choose another for the model.") from None
    if out.exists():
        raise ModelError(f"{out} exists already; choose another name or delete it.")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A hidden folder that is renamed to `out` at the end, or deleted where that is not reached.

    Raises:
        ModelError: `out` exists or cannot be written.
    """
    require_free(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(out.parent, out.name) as scratch:
            made = scratch / out.name
            made.mkdir()
            yield made
            made.chmod(0o755)
            made.rename(out)
    except OSError as error:
        raise unwritable(out, error) from error


def unwritable(out: Path, error: Exception) -> ModelError:
    """What to raise where a model cannot be written."""
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return ModelError(
        f"{out} cannot be written ({reason}); free some space, or name another weights folder with "
        "PLACE_SEARCH_WEIGHTS."
    )
