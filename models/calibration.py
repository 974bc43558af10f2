"""A model's calibration: what turns its similarities and matches into a probability."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from place_search.core.settings import MODEL


@dataclass(frozen=True, slots=True)
class Calibration:
    """From similarity and geometry to the probability that two photos show the same place.

    Three logistic functions, of what `search.probability` measures: `weights` and `intercept` for
    a pair by itself; `among`, (agreement, contrast, intercept), for a candidate beside others;
    `unverified`, (similarity, contrast, intercept), without geometry. From the probability
    `threshold` on, "found" and "same" are said. `precision`, `recall`, `auc` and
    `calibration_error` were measured on pairs that were held back; there is no precision
    where nothing is found.
    """

    intercept: float
    weights: Sequence[float]
    threshold: float
    data: str
    same_pairs: int
    different_pairs: int
    precision: float | None
    recall: float
    auc: float
    calibration_error: float
    among: Sequence[float] = ()
    unverified: Sequence[float] = ()

    def completed(self) -> "Calibration":
        """The same, with what version 0.1 did not fit taken from the included model."""
        if self.among and self.unverified:
            return self
        others = included_calibration()
        return replace(
            self,
            among=self.among or others.among,
            unverified=self.unverified or others.unverified,
        )


def read_calibration(table: Mapping[str, Any]) -> Calibration:
    """A calibration from a card's or a file's table.

    Raises:
        TypeError: a key that it lacks or does not know.
    """
    sequences = {
        key: tuple(map(float, table.get(key, ()))) for key in ("weights", "among", "unverified")
    }
    return Calibration(**{"precision": None, **table, **sequences})


@lru_cache(maxsize=1)
def included_calibration() -> Calibration:
    """The calibration of the included model, which others borrow while they have none."""
    card = files("place_search.weights") / MODEL.default / "card.toml"
    return read_calibration(tomllib.loads(card.read_text("utf-8"))["calibration"])
