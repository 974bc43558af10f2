"""Loop closure: each frame of a drive is a query among the frames well before it."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from place_search.core.tables import parse_whole
from place_search.evaluation.errors import MeasureError
from place_search.evaluation.protocol import EvaluationProtocol
from place_search.evaluation.truth.ground_truth import GroundTruth, Rows


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
        self.description = (
            f"each frame among those more than {gap} before it; right ones as the truth says"
        )
        names = (*truth.database, *truth.queries)
        if repeated := repeated_file_names(names):
            self.warnings = [
                f"'{repeated[0]}' is the file name of several frames, so all frames are in the "
                "order of their paths, one folder after the other; unless the drive was so, give "
                "each frame a file name of its own that counts on through the drive."
            ]
        order = frame_order(names)
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
    """The number of each photo in the order of the drive."""
    photos = dict.fromkeys(names)
    by_path = bool(repeated_file_names(photos))
    ordered = sorted(
        photos, key=lambda name: _natural(name if by_path else PurePosixPath(name).name)
    )
    return {name: number for number, name in enumerate(ordered)}


def _natural(name: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


PROTOCOL = LoopClosureProtocol
