"""What the functions of `import place_search` take: paths, photos, models, progress."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from place_search.core.progress import Progress, silent

if TYPE_CHECKING:
    from place_search.models import Model

AnyPath: TypeAlias = str | PathLike[str]
Photo: TypeAlias = AnyPath | bytes
"""A photo's path, or the content of its file."""
AnyModel: TypeAlias = "Model | AnyPath | None"
"""An opened model, its id under weights/ or its folder; None for the one that fits."""
Precision: TypeAlias = Literal["auto", "f32", "int8"]
Report: TypeAlias = "Progress | bool"
"""True for a bar, or what is called with the stage, how much is done, and of how much."""


def path_of(path: AnyPath | None) -> Path | None:
    """The path, if one is given."""
    return None if path is None else Path(path)


def path_or_id(model: AnyPath | None) -> "str | Path | None":
    """A model by its id, which is a text, or by its folder."""
    return model if model is None or isinstance(model, str) else Path(model)


def source_of(photo: Photo) -> bytes | Path:
    """A photo as the engine takes it."""
    return photo if isinstance(photo, bytes) else Path(photo)


def listed(photos: "Photo | Sequence[Photo]") -> list[bytes | Path]:
    """Photos one by one; those of a folder by name."""
    if not isinstance(photos, str | bytes | PathLike):
        return [source_of(photo) for photo in photos]
    source = source_of(photos)
    if isinstance(source, bytes) or not source.is_dir():
        return [source]
    from place_search.indexer import open_source

    return [photo.path for photo in open_source(source).photos]


@contextmanager
def reporting(progress: Report) -> Iterator[Progress]:
    """What is told of progress: a bar of our own, what is given, or nobody."""
    if not isinstance(progress, bool):
        yield progress
    elif progress:
        from place_search.cli.console import progress as bar

        with bar() as advance:
            yield advance
    else:
        yield silent
