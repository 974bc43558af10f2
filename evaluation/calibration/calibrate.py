"""Fits a model's calibration to labelled pairs of photos."""

import os
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from place_search.core.progress import Progress, silent
from place_search.core.tables import open_table
from place_search.evaluation.errors import TruthError
from place_search.models import Calibration, Model, encode_grid
from place_search.models.calibration import THRESHOLD
from place_search.search.calibrating.logistic import (
    Floats,
    Labels,
    figures_of,
    fit_logistic,
    sigmoid,
)
from place_search.search.probability import evidence
from place_search.search.verification import Query, verify

COLUMNS = ("photo1", "photo2", "same")
MIN_PAIRS = 50
"""The least number of pairs of each kind in each half: fewer tell little of a precision of 99 %."""


class Pair(NamedTuple):
    """Two photos, as paths under a root, and whether they show the same place."""

    photo1: str
    photo2: str
    same: bool


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibration with the held-back pairs' probabilities, for its report."""

    calibration: Calibration
    probabilities: Floats
    same: Labels


class PairSets(NamedTuple):
    """The pairs of several files, each set with the root of its photos.

    `repeated` counts the rows that were left out because an earlier row names the same photos.
    """

    sets: list[tuple[Path, list[Pair]]]
    repeated: int


class _Labelled(NamedTuple):
    same: bool
    file: Path
    row: int


def read_pairs(files: Iterable[tuple[Path, Path]]) -> PairSets:
    """Read CSVs with the columns photo1,photo2,same (1 or 0), each with the root of its photos.

    A pair of photos counts once, whatever their order and whatever the file.

    Raises:
        TruthError: no file, missing columns, an unknown label, a photo with itself, or two labels
            that contradict.
    """
    labels = {"1": True, "0": False, "true": True, "false": False, "same": True, "different": False}
    labelled: dict[frozenset[str], _Labelled] = {}
    sets = []
    rows = 0
    for file, root in files:
        pairs = []
        with open_table(file, COLUMNS, error=TruthError) as table:
            for row, fields in table:
                label = labels.get(fields["same"].lower())
                if label is None:
                    raise TruthError(
                        f"{file} says '{fields['same']}' under same in row {row}; write 1 or 0."
                    )
                pair = Pair(fields["photo1"], fields["photo2"], label)
                # A photo has one file, however the list spells it, or links to it.
                photos = frozenset(map(os.path.realpath, (root / pair.photo1, root / pair.photo2)))
                if len(photos) == 1:
                    raise TruthError(
                        f"{file} pairs '{pair.photo1}' with itself in row {row}, which tells "
                        "nothing of two photos; leave the row out."
                    )
                rows += 1
                if photos not in labelled:
                    labelled[photos] = _Labelled(label, file, row)
                    pairs.append(pair)
                elif (first := labelled[photos]).same != label:
                    raise TruthError(
                        f"{file} says {label:d} of '{pair.photo1}' and '{pair.photo2}' in row "
                        f"{row}, but row {first.row} of {first.file} says {first.same:d}; leave "
                        "the wrong row out."
                    )
        sets.append((root, pairs))
    return PairSets(sets, rows - len(labelled))


def calibrate(
    model: Model,
    sets: Sequence[tuple[Path, Sequence[Pair]]],
    *,
    data: str,
    progress: Progress = silent,
) -> Fitted:
    """Fit a calibration on pairs, each set under its own root.

    Half of the pairs, chosen by their first photo, is held back for the figures.

    Raises:
        TruthError: too few pairs of the same place, or of different places.
        PhotoError: a photo of a pair cannot be read.
    """
    total = sum(len(pairs) for _, pairs in sets)
    numbers, same, held_back = [], [], []
    for root, pairs in sets:
        for pair, row in _weigh(model, root, pairs):
            numbers.append(row)
            same.append(pair.same)
            held_back.append(zlib.crc32(pair.photo1.encode()) % 2 == 1)
            progress("Comparing", len(numbers), total)
    rows, labels, is_held_back = np.array(numbers), np.array(same, bool), np.array(held_back, bool)
    _require_enough(labels, is_held_back)
    weights, intercept = fit_logistic(rows[~is_held_back], labels[~is_held_back])
    probabilities = sigmoid(rows @ weights + intercept)
    tested_probabilities, tested_labels = probabilities[is_held_back], labels[is_held_back]
    calibration = Calibration(
        intercept=intercept,
        weights=tuple(float(weight) for weight in weights),
        threshold=THRESHOLD,
        data=data,
        same_pairs=int(labels.sum()),
        different_pairs=int((~labels).sum()),
        **figures_of(tested_probabilities, tested_labels, THRESHOLD)._asdict(),
    )
    return Fitted(calibration, tested_probabilities, tested_labels)


def _weigh(model: Model, root: Path, pairs: Sequence[Pair]) -> list[tuple[Pair, Floats]]:
    """The evidence of each pair, in the order of the first photos."""
    # The descriptor and codes of a second photo take some 10 to 45 kB, so all are kept.
    seconds = {}
    for name in dict.fromkeys(pair.photo2 for pair in pairs):
        second = model.embed(model.read(root / name))
        seconds[name] = second.descriptor, encode_grid(second)
    groups: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair.photo1].append(pair)
    weighed = []
    for name, group in groups.items():
        first = model.embed(model.read(root / name))
        query = Query.of(first)
        for pair in group:
            descriptor, codes = seconds[pair.photo2]
            similarity = float(first.descriptor @ descriptor)
            geometry = verify(query, codes, similarity)
            weighed.append((pair, evidence(similarity, geometry)))
    return weighed


def _require_enough(labels: Labels, is_held_back: Labels) -> None:
    for half in (is_held_back, ~is_held_back):
        for kind, word in ((labels, "same"), (~labels, "different")):
            count = int((half & kind).sum())
            if count < MIN_PAIRS:
                raise TruthError(
                    f"One half of the pairs has only {count} of the {word} place; give at least "
                    f"{2 * MIN_PAIRS} pairs of each kind, from different photos."
                )
