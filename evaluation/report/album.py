"""What the pages of reports are made of: photos, each once, and our own files; no requests."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any, TypeVar

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from place_search.core.rows import spread_rows
from place_search.evaluation.report.words import Said, known, named, say, words_by_language
from place_search.evaluation.results import EvalReport
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.photos import PhotoError, decode_photo, encode_jpeg, fit_within

T = TypeVar("T")

SIDE = 240


@dataclass(frozen=True, slots=True)
class Figure:
    """A photo in a card; `photo` is its number in the album, `kind` its class in the style."""

    kind: str
    photo: int
    alt: Said | str
    label: Said | str
    name: str
    detail: Said | str = ""


class Album:
    """Small copies of photos, each once."""

    def __init__(self, truth: GroundTruth) -> None:
        self._truth = truth
        self._numbers: dict[str, int] = {}
        self.photos: list[str] = []

    def add(self, name: str) -> int:
        """The number of a photo, which is read where it is new."""
        if name not in self._numbers:
            self._numbers[name] = len(self.photos)
            self.photos.append(self._small(name))
        return self._numbers[name]

    def _small(self, name: str) -> str:
        try:
            photo = decode_photo(
                self._truth.path(name), target_size=partial(fit_within, longest_side=SIDE)
            )
        except PhotoError:
            return ""
        size = fit_within(photo.width, photo.height, SIDE)
        jpeg = encode_jpeg(photo.pixels, size, quality=72)
        return base64.b64encode(jpeg).decode("ascii")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a film strip, above its first result; `is_asked` in the card of that query."""

    is_asked: bool
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Card:
    """A query with results; of a sequence `film` shows its neighbours, too.

    `is_right` keeps it from those that the page's filter leaves.
    """

    query: int
    name: str
    heading: Said | str
    is_right: bool
    figures: Sequence[Figure]
    film: Sequence[Frame] = ()


def away(truth: GroundTruth, query: int, row: int, similarity: str = "") -> Said | str:
    """How similar a photo is to a query, where that is told, and how far away, where known."""
    if truth.database_metres is None or truth.query_metres is None:
        return similarity
    distance = float(np.linalg.norm(truth.database_metres[row] - truth.query_metres[query]))
    if not np.isfinite(distance):
        return similarity
    metres = f"{distance:,.0f}"
    if similarity:
        return say("similar-away", similarity=similarity, metres=metres)
    return say("away", metres=metres)


def spread(items: Sequence[T], count: int) -> list[T]:
    """So many of the items at most, evenly spread over all of them."""
    return [items[row] for row in spread_rows(len(items), count).tolist()]


def fill_page(template: str, **values: Any) -> str:
    """A page of a report from its template, with the style and the script of all of them."""
    environment = Environment(
        loader=PackageLoader(__package__, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.globals.update(say=say, known=known, named=named, described=_described)
    return environment.get_template(template).render(
        style=_asset("place_search.web", "style.css") + _asset(__package__, "page.css"),
        head_script=_asset(__package__, "page.head.js"),
        script=_asset(__package__, "page.js"),
        words=words_by_language(),
        **values,
    )


def _described(report: EvalReport) -> Said | str:
    """The rules of a protocol as the end of a sentence; those of plug-ins as they say them."""
    name, _, gap = report.protocol.partition(":")
    said = known(f"of-{name}")
    return say(said.key, gap=gap) if isinstance(said, Said) else f"{report.description}."


def _asset(package: str, name: str) -> Markup:
    """A file of ours that goes into the page as it is."""
    return Markup((files(package) / name).read_text("utf-8"))  # noqa: S704 - no user's text
