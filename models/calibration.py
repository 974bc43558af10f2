"""A model's calibration, which turns similarities and matches into a probability."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from place_search.core.settings import MODEL

THRESHOLD = 0.95
"""The probability from which on the verdict is "found"."""
UNSURE_FROM = 0.5
"""The probability from which on the verdict is "unsure": the same place is likelier than not."""
NOTHING_KNOWN = (0.0, 0.0, 0.0)
"""The value of `unverified` for a probability of ½ at any similarity."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """From similarity and geometry to the probability that two photos show the same place.

    It has three logistic functions of the evidence in `search.probability`: `weights` and
    `intercept` for a pair by itself; `among`, (agreement, contrast, intercept), for a candidate
    beside others; `unverified`, (similarity, contrast, intercept), without geometry. From the
    probability `threshold` on, the verdicts are "found" and "same". `precision`, `recall`, `auc`
    and `calibration_error` were measured on held-back pairs; `precision` is None where nothing was
    found.
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
        """The calibration with the functions that version 0.1 and labelled pairs do not fit.

        The weight of agreement beside other candidates is that of the included model. The weight of
        a similarity cannot be borrowed: 0.6 is high for one model and low for another.
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

    A threshold not above `UNSURE_FROM`, which nearly separable pairs once led to, is replaced by
    the default.

    Raises:
        TypeError: a missing or an unknown key.
    """
    sequences = {
        key: tuple(map(float, table.get(key, ()))) for key in ("weights", "among", "unverified")
    }
    calibration = Calibration(**{"precision": None, **table, **sequences})
    return (
        calibration
        if calibration.threshold > UNSURE_FROM
        else replace(calibration, threshold=THRESHOLD)
    )


@lru_cache(maxsize=1)
def included_calibration() -> Calibration:
    """The calibration of the included model, for models without their own."""
    card = files("place_search.weights") / MODEL.default / "card.toml"
    return read_calibration(tomllib.loads(card.read_text("utf-8"))["calibration"])
