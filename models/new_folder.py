"""The folder of a new model, which appears whole or not at all."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from place_search.core.errors import RERUN
from place_search.core.files import scratch_folder, telling_unwritable
from place_search.models.card import CARD_NAME, ModelCard, WeightSource, read_card, write_card
from place_search.models.errors import ModelError
from place_search.models.verify import verify_model

_THEN = f"{RERUN}; PLACE_SEARCH_WEIGHTS names another folder for models"


def free_folder(folder: Path, name: str) -> Path:
    """The folder for a new model `name`.

    Raises:
        ModelError: the name cannot be a model's id, or is in use.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ModelError(
            f"'{name}' cannot be a model's id; use up to 64 letters, digits, dots, dashes and "
            "underscores."
        )
    require_free(folder / name)
    return folder / name


def require_free(out: Path) -> None:
    """Raise `ModelError` if `out` exists, since no model is overwritten, or is not UTF-8."""
    try:
        str(out).encode()
    except UnicodeEncodeError:
        raise ModelError(f"The name {out} is not UTF-8; choose another for the model.") from None
    if out.exists():
        raise ModelError(f"{out} exists already; choose another name or delete it.")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A hidden folder that is renamed to `out` at the end, or deleted after an error.

    Raises:
        ModelError: `out` exists or cannot be written.
    """
    require_free(out)
    with telling_unwritable(out, ModelError, _THEN):
        out.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(out.parent, out.name) as scratch:
            folder = scratch / out.name
            folder.mkdir()
            yield folder
            folder.chmod(0o755)
            folder.rename(out)


def copy_model(
    folder: Path, out: Path, *, title: str = "", origin: str = "", licence: str = ""
) -> ModelCard:
    """Copy a model folder to `out`; `title`, `origin` and `licence` go into the new card.

    Raises:
        ModelError: `out` exists or cannot be written, or the model is not whole.
    """
    require_free(out)
    card = read_card(folder)
    if any(Path(name).name != name for name in card.files):
        raise ModelError(f"{folder / CARD_NAME} names files outside its folder; fetch it again.")
    if problems := verify_model(folder).problems:
        raise ModelError(problems[0])
    licence = licence or card.licence
    source = WeightSource(card.family, origin, licence, card.files[card.main_file])
    card = replace(
        card,
        id=out.name,
        title=title or card.title,
        licence=licence,
        sources=(*card.sources, source) if origin else card.sources,
    )
    with new_folder(out) as scratch:
        for name in card.files:
            shutil.copyfile(folder / name, scratch / name)
        write_card(card, scratch)
    return card
