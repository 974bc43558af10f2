"""Loop closure: each frame of a drive is a query among the frames well before it."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from place_search.core.tables import parse_whole
from place_search.evaluation.errors import MeasureError
from place_search.evaluation.protocol import EvaluationProtocol
from place_search.evaluation.truth.ground_truth import GroundTruth, Rows

_COUNT_ON = (
    "unless the drive was so, give each frame a file name of its own that counts on through the "
    "drive."
)


class LoopClosureProtocol(EvaluationProtocol):
    """Candidates are the frames more than `gap` before the query (Cummins and Newman 2008).

    Frames are in the order of their file names, numbers by value; where frames share a file name,
    in the order of their paths.
    """

    name = "loop-closure"
    needs_all_photos = True
    filters_search = True
    takes_argument = True

    def __init__(self, truth: GroundTruth, gap: str = "0") -> None:
        super().__init__(truth)
        if parse_whole(gap) is None:
            raise MeasureError(
                f"The protocol loop-closure:{gap} needs a number of frames, as in loop-closure:30.",
                "protocol",
            )
        self.name = f"loop-closure:{gap}"
        self.description = f"each frame among those more than {gap} before it"
        order = frame_order((*truth.database, *truth.queries))
        self.warnings = [*_doubts_of_names(order), *_doubts_of_times(order, truth)]
        self._place = np.array([order[name] for name in truth.database], dtype=np.int64)
        self._query = np.array([order[name] for name in truth.queries], dtype=np.int64)
        self._gap = int(gap)
        self.positives = [
            rows[self.keep(query, rows)] for query, rows in enumerate(truth.positives)
        ]

    def keep(self, query: int, ranked: Rows) -> NDArray[np.bool_]:
        """The frames that are more than the gap before the query."""
        early: NDArray[np.bool_] = self._place[ranked] < self._query[query] - self._gap
        return early

    def candidates(self) -> list[float]:
        """The number of frames that are more than the gap before each query."""
        ordered = np.sort(self._place)
        return [float(count) for count in np.searchsorted(ordered, self._query - self._gap)]


def repeated_file_names(names: Iterable[str]) -> list[str]:
    """File names that several photos have, each in a folder of its own."""
    files = Counter(PurePosixPath(name).name for name in dict.fromkeys(names))
    return sorted((name for name, photos in files.items() if photos > 1), key=_natural)


def frame_order(names: Iterable[str]) -> dict[str, int]:
    """The number of each photo in the order of the drive, ascending."""
    photos = dict.fromkeys(names)
    by_path = bool(repeated_file_names(photos))
    ordered = sorted(
        photos, key=lambda name: _natural(name if by_path else PurePosixPath(name).name)
    )
    return {name: number for number, name in enumerate(ordered)}


def _doubts_of_names(ordered: Iterable[str]) -> list[str]:
    """A sentence where the order of names, as given, may well not be that of a drive."""
    names = list(ordered)
    if repeated := repeated_file_names(names):
        return [
            f"'{repeated[0]}' is the file name of several frames, so all frames are in the order "
            f"of their paths, one folder after the other; {_COUNT_ON}"
        ]
    kinds: dict[str, str] = {}
    for name in names:
        file = PurePosixPath(name)
        if file.name.startswith("@"):
            return [
                f"File names of frames begin with their positions, as '{file.name}', so frames are "
                f"in the order of eastings; {_COUNT_ON}"
            ]
        kinds.setdefault(re.sub(r"\d+", "0", file.stem), file.name)
    if len(kinds) <= 1:
        return []
    first, second, *_ = kinds.values()
    return [
        f"The file names of frames differ in more than their numbers, as '{first}' and '{second}' "
        f"do, so frames are in the order of letters first; {_COUNT_ON}"
    ]


def _doubts_of_times(order: Mapping[str, int], truth: GroundTruth) -> list[str]:
    """A sentence where listed times contradict the order of the names."""
    if truth.database_order is None or truth.query_order is None:
        return []
    taken = dict(zip(truth.database, truth.database_order.taken.tolist(), strict=True))
    taken |= zip(truth.queries, truth.query_order.taken.tolist(), strict=True)
    timed = [name for name in order if math.isfinite(taken[name])]
    for before, after in pairwise(timed):
        if taken[after] < taken[before]:
            return [
                f"By their times '{after}' was taken before '{before}', but frames are in the "
                f"order of their names; {_COUNT_ON}"
            ]
    return []


def _natural(name: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


PROTOCOL = LoopClosureProtocol
