"""A model's calibration: what turns its similarities and matches into a probability."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from place_search.core.settings import MODEL

THRESHOLD = 0.95
"""The probability from which a place is found."""
UNSURE_FROM = 0.5
"""From here on the same place is likelier than another one, though not yet sure."""
NOTHING_KNOWN = (0.0, 0.0, 0.0)
"""What `unverified` is where any similarity may be that of the same place or of another."""


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
        """The same, with what version 0.1 and labelled pairs do not fit.

        What agreement says beside other candidates is taken from the included model. What a
        similarity says cannot be: 0.6 is much to one model and nothing to another.
        """
        if self.among and self.unverified:
            return self
        agreement, _, intercept = included_calibration().among
        return replace(
            self,
            among=self.among or (agreement, 0.0, intercept),
            unverified=self.unverified or NOTHING_KNOWN,
        )


def read_calibration(table: Mapping[str, Any]) -> Calibration:
    """A calibration from a card's or a file's table.

    One that would call found what is as likely another place, which nearly separable pairs once
    led to, has the usual threshold.

    Raises:
        TypeError: a key that it lacks or does not know.
    """
    sequences = {
        key: tuple(map(float, table.get(key, ()))) for key in ("weights", "among", "unverified")
    }
    read = Calibration(**{"precision": None, **table, **sequences})
    return read if read.threshold > UNSURE_FROM else replace(read, threshold=THRESHOLD)


@lru_cache(maxsize=1)
def included_calibration() -> Calibration:
    """The calibration of the included model, which others borrow while they have none."""
    card = files("place_search.weights") / MODEL.default / "card.toml"
    return read_calibration(tomllib.loads(card.read_text("utf-8"))["calibration"])
