"""The folder of a new model, which appears whole or not at all."""

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from place_search.models.errors import ModelError

LOCK_NAME = ".lock"
"""Held in a scratch folder by the process that writes it; it goes before the folder appears."""


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
    """A scratch folder that is renamed to `out` at the end, or deleted where that is not reached.

    Those of the same `out` whose processes were killed are deleted first.

    Raises:
        ModelError: `out` exists or cannot be written.
    """
    require_free(out)
    scratch = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(out)
        scratch = Path(mkdtemp(dir=out.parent, prefix=_prefix(out)))
        with (scratch / LOCK_NAME).open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield scratch
            (scratch / LOCK_NAME).unlink()
            scratch.chmod(0o755)
            scratch.rename(out)
    except OSError as error:
        raise unwritable(out, error) from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def _prefix(out: Path) -> str:
    return f".{out.name}-"


def _remove_abandoned(out: Path) -> None:
    """Delete the scratch folders of `out` that no process holds."""
    for scratch in out.parent.iterdir():
        # mkdtemp adds eight characters; more are of a model with a longer name.
        if not scratch.name.startswith(_prefix(out)) or len(scratch.name) != len(_prefix(out)) + 8:
            continue
        try:
            with (scratch / LOCK_NAME).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(scratch, ignore_errors=True)
        except OSError:
            continue  # held, or without a lock, which it has not yet or no longer


def unwritable(out: Path, error: Exception) -> ModelError:
    """What to raise where a model cannot be written."""
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return ModelError(
        f"{out} cannot be written ({reason}); free some space, or name another weights folder with "
        "PLACE_SEARCH_WEIGHTS."
    )
