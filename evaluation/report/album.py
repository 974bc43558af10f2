"""The parts of a report's page: photos, each once, templates, style and script in one file."""

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
from place_search.evaluation.report.tables import right_photos
from place_search.evaluation.report.words import (
    Message,
    labelled,
    message,
    message_or_text,
    words_by_language,
)
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
    alt: Message | str
    label: Message | str
    name: str
    detail: Message | str = ""


class Album:
    """Small copies of photos, each once."""

    def __init__(self, truth: GroundTruth) -> None:
        self._truth = truth
        self._numbers: dict[str, int] = {}
        self.photos: list[str] = []

    def add(self, name: str) -> int:
        """The number of a photo in the album; a new photo is read and added."""
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
    """A frame of a film strip, above its first result; `is_query` marks the query of the card."""

    is_query: bool
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Card:
    """A query with results; in a sequence, `film` shows its neighbours, too.

    The page's filter "only wrong" hides the cards that are `is_right`.
    """

    query: int
    name: str
    heading: Message | str
    is_right: bool
    figures: Sequence[Figure]
    film: Sequence[Frame] = ()


def similarity_and_distance(
    truth: GroundTruth, query: int, row: int, similarity: str = ""
) -> Message | str:
    """A photo's `similarity` to a query, if any, and its distance in metres, where known."""
    if truth.database_metres is None or truth.query_metres is None:
        return similarity
    distance = float(np.linalg.norm(truth.database_metres[row] - truth.query_metres[query]))
    if not np.isfinite(distance):
        return similarity
    metres = f"{distance:,.0f}"
    if similarity:
        return message("similar-away", similarity=similarity, metres=metres)
    return message("away", metres=metres)


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items, evenly spread over all of them."""
    return [items[row] for row in spread_rows(len(items), count).tolist()]


def fill_page(template: str, **values: Any) -> str:
    """A page of a report from its template, with the style and the script of all pages."""
    environment = Environment(
        loader=PackageLoader(__package__, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.globals.update(
        message=message,
        message_or_text=message_or_text,
        labelled=labelled,
        protocol_description=_protocol_description,
        right_photos=right_photos,
    )
    return environment.get_template(template).render(
        style=_asset("place_search.web", "style.css") + _asset(__package__, "page.css"),
        head_script=_asset(__package__, "page.head.js"),
        script=_asset(__package__, "page.js"),
        words=words_by_language(),
        **values,
    )


def _protocol_description(report: EvalReport) -> Message | str:
    """The rules of a protocol as the end of a sentence; for a plug-in its own description."""
    name, _, gap = report.protocol.partition(":")
    description = message_or_text(f"of-{name}")
    return (
        message(description.key, gap=gap)
        if isinstance(description, Message)
        else f"{report.description}."
    )


def _asset(package: str, name: str) -> Markup:
    """A file of this package that goes into the page unchanged."""
    return Markup((files(package) / name).read_text("utf-8"))  # noqa: S704 - no user's text
