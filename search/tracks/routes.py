"""The sequences of an index's places: places that were photographed one after the other.

A source may name sequences. Else names decide: `walk1/frame_0012.jpg` is number 12 of the sequence
`walk1/frame_`. A date with a time in a name is a time, not a number. Where names have no numbers,
or the rest of them differs too, the times of the photos count, or the order of the places if their
positions follow it.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import starmap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MARGIN = 8
"""The number of free coordinates between two sequences, more than the longest step."""
_GAP = 10
"""The ratio to the median above which a step, in numbers, metres or seconds, ends a sequence."""
_LEAST_GAP_M = 50.0
"""The distance in metres up to which a step ends no sequence."""
_LEAST_GAP_S = 300.0
"""The duration in seconds up to which a step ends no sequence."""
_NUMBER = re.compile(r"(\d+)(?=\D*$)")
"""The last number of a name."""
_LARGEST = int(np.iinfo(np.int64).max)
"""The largest number that a name can have; asking numpy for it takes longer than reading a name."""
_SECONDS = re.compile(r"(\d{10})\.(\d{1,9})")
"""A name that is a time since 1970, as cameras of robots write it."""
_DATED = re.compile(
    r"""(?<!\d) (\d{4}) [-_.]? (\d\d) [-_.]? (\d\d) (?: [-_\ T.]{0,3} | \ at\  )  # date
    (\d\d | \d(?=[.:])) [-_.:h]? (\d\d) [-_.:m]? (\d\d)  # time
    (?: [-_.]? (\d{1,9}) )?                             # part of a second
    (?: \s? ([AP])M \b )?                               # half of the day
    (?= (?: [-+]\d\d:?\d\d )? \D* $ )                   # zone, and no other number""",
    re.VERBOSE | re.IGNORECASE,
)
"""A date with a time at the end of a name, as phones and dash cameras write it: 20240501_115830.

ISO 8601, which scripts write, has a zone at the end, and a screenshot may have AM or PM.
"""
_COPY = re.compile(r"\s?\((\d{1,3})\)$")
"""The number at the end of a name that tells a photo from another one of the same time."""
_VIEW = re.compile(r"#(?:heading|yaw)=\d{3}$")
"""The ending that tells the name of a view from that of its panorama."""
_PLACED = "@"
"""The sequence of names that begin with their position: lists of them are sorted by position."""
_ONE_WAY_RATIO = 2.0
"""The largest ratio, on one way, of the upper quartile of steps to the median distance of nearest
places; steps from one side of a street to the other are longer."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class _ParsedName(NamedTuple):
    """The folder of a name, its sequence in that folder, and its number, -1 for none.

    A name may have a time instead: `seconds` since 1970, in any zone. Then the number is that of a
    copy, and orders names of one time.
    """

    folder: str
    sequence: str
    number: int
    seconds: float = math.nan

    @property
    def key(self) -> tuple[str, str]:
        """The key that the names of one sequence have in common."""
        return self[:2]


@dataclass(frozen=True, slots=True)
class Routes:
    """Places, or frames, on one axis: neighbours in a sequence are 1 apart, sequences `MARGIN`.

    `coordinate` (N,) is that of each row; `row` is the row at each coordinate, -1 at a free one;
    `sequence` and `folder` (N,) are numbers of the sequence and the folder of each row.
    """

    coordinate: Ints
    row: Ints
    sequence: Ints
    folder: Ints

    @property
    def sequences(self) -> int:
        """The number of sequences; a single place is a sequence too."""
        return int(self.sequence.max(initial=-1)) + 1

    @property
    def is_ordered(self) -> bool:
        """Whether any two places follow one another."""
        return self.sequences < len(self.sequence)

    def along(self, row: int, steps: int) -> int | None:
        """The row that is `steps` steps on in the same sequence; None beyond its ends."""
        at = int(self.coordinate[row]) + steps
        other = int(self.row[at]) if 0 <= at < len(self.row) else -1
        return other if other >= 0 and self.sequence[other] == self.sequence[row] else None


def find_routes(
    names: Sequence[str],
    metres: Floats | None = None,
    *,
    sequences: Sequence[str] = (),
    capture_times: Floats | None = None,
) -> Routes:
    """The sequences among places by their names, positions and times.

    `metres` is (N, 2) or (N, 3), and `capture_times` (N,) in seconds, NaN for none; `sequences` are
    those that a source names, "" for none. Else a sequence consists of the places of a folder whose
    names differ only in their last number or their time, in the order of these. Where names differ
    in more, or have neither, places are in the order of their capture times. A sequence ends at a
    step in numbers, metres or seconds that is ten times as long as usual.
    """
    sequences = sequences or [""] * len(names)
    whole, views = _panoramas(names)
    parsed = [
        each._replace(sequence=f"{each.sequence}\0{view}") if view else each
        for each, view in zip(_parsed(whole, sequences), views, strict=True)
    ]
    keys: dict[tuple[str, str], int] = {}
    folders: dict[str, int] = {}
    key = np.array([keys.setdefault(each.key, len(keys)) for each in parsed], np.int64)
    folder = np.array([folders.setdefault(each.folder, len(folders)) for each in parsed], np.int64)
    number = np.array([each.number for each in parsed], np.int64)
    rows = np.arange(len(names))

    def are_timed(times: Floats) -> NDArray[np.bool_]:
        """A mask of the rows in whose sequences all rows have a time."""
        return np.asarray(np.bincount(key, ~np.isfinite(times))[key] == 0)

    times = np.array([each.seconds for each in parsed], np.float64)
    named = np.isfinite(times)
    from_source = np.array([bool(name) for name in sequences], np.bool_)
    if capture_times is not None:
        by_name = named & ~(from_source & are_timed(capture_times))
        times = np.where(by_name, times, capture_times)
    named |= from_source
    timed = are_timed(times)
    by_time = timed & (named | (number < 0))
    order = np.lexsort((rows, number, np.where(by_time, times, 0), key, folder))
    # Sequences in the order of the source or the clock have no gaps in their numbers.
    steps = np.where((named | by_time)[order], rows, number[order])
    alone = (by_time & ~named)[order]
    metres_in_order = None if metres is None else metres[order]
    placed = np.array([each.sequence.startswith(_PLACED) for each in parsed], np.bool_)
    starts = _starts(key[order], steps, metres_in_order, times[order], alone, placed[order])
    sequence_in_order = np.cumsum(starts) - 1
    at = np.arange(len(names)) + MARGIN * (sequence_in_order + 1)
    coordinate, sequence = np.empty((2, len(names)), np.int64)
    coordinate[order] = at
    sequence[order] = sequence_in_order
    row = np.full(int(at.max(initial=0)) + MARGIN + 1, -1, np.int64)
    row[at] = order
    return Routes(coordinate, row, sequence, folder)


def _panoramas(names: Sequence[str]) -> tuple[list[str], list[int]]:
    """Names, those of views without their ending `_VIEW`, and the numbers of views.

    The views that look the same way from one panorama to the next are a sequence, not the views of
    one panorama.
    """
    whole = [_VIEW.sub("", name) for name in names]
    seen: Counter[str] = Counter()
    views = []
    for name, panorama in zip(names, whole, strict=True):
        views.append(seen[panorama] if name != panorama else 0)
        seen[panorama] += 1
    return whole, views


def _parsed(names: Sequence[str], sequences: Sequence[str]) -> list[_ParsedName]:
    """The parts of each name.

    A number is ignored in a name that no other resembles: `walk_0001_cam2` would be number 2 of
    `walk_0001_cam`.
    """
    split = [*map(_folder_and_stem, names)]
    read = [*starmap(_parse, split)]
    key_counts = Counter(each.key for each in read)
    dated = _dated(split)
    parsed = []
    for row, (each, named) in enumerate(zip(read, sequences, strict=True)):
        if row in dated:
            each = dated[row]
        if named:
            parsed.append(_ParsedName(f"\0{named}", "", each.number, each.seconds))
        elif row in dated:
            parsed.append(each)
        elif key_counts[each.key] == 1:
            parsed.append(_ParsedName(each.folder, "", -1))
        else:
            parsed.append(each)
    return parsed


def _parse(folder: str, stem: str) -> _ParsedName:
    """The parts of a name by its last number; the sequence is the stem without that number."""
    if seconds := _SECONDS.fullmatch(stem):
        stem = seconds[1] + seconds[2].ljust(9, "0")
    if stem.startswith(_PLACED):
        return _ParsedName(folder, _PLACED, -1)
    match = _NUMBER.search(stem)
    if match is None or len(match[1]) > 19 or int(match[1]) > _LARGEST:
        return _ParsedName(folder, "", -1)
    return _ParsedName(folder, f"{stem[: match.start()]}\0{stem[match.end() :]}", int(match[1]))


def _dated(split: Sequence[tuple[str, str]]) -> dict[int, _ParsedName]:
    """The parts of names with a date and a time, by their rows; `split` are folders and stems.

    Where all names have one time, as frames of a video with a dated name, the digits after it are a
    number. Else they are a part of a second, if all names have equally many such digits or none.
    """
    read: dict[tuple[str, str], list[tuple[int, str, _ParsedName]]] = {}
    for row, (folder, stem) in enumerate(split):
        if copy := _COPY.search(stem):
            stem = stem[: copy.start()]
        match = _DATED.search(stem)
        if match is None or stem.startswith(_PLACED):
            continue
        *digits, part, half = match.groups(default="")
        year, month, day, hour, minute, second = map(int, digits)
        if half and hour <= 12:
            hour = hour % 12 + 12 * (half in "Pp")
        try:
            time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:  # digits of something else
            continue
        key = folder, f"{stem[: match.start()]}\0\0{stem[match.end() :]}"
        parsed = _ParsedName(*key, int(copy[1]) if copy else -1, time.timestamp())
        read.setdefault(key, []).append((row, part, parsed))
    return {
        row: each._replace(seconds=each.seconds + float(f"0.{part}"))
        for rows in read.values()
        if len({each.seconds for *_, each in rows}) > 1
        if len({len(part) for _, part, _ in rows if part}) <= 1
        for row, part, each in rows
    }


def _folder_and_stem(name: str) -> tuple[str, str]:
    folder, _, file = name.rpartition("/")
    return folder, file.rpartition(".")[0] or file


def _starts(
    key: Ints,
    number: Ints,
    metres: Floats | None,
    times: Floats,
    by_time: NDArray[np.bool_],
    placed: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """A mask of the ordered rows that start a sequence.

    `by_time` marks rows that only their times order, `placed` rows whose names begin with their
    positions.
    """
    count = len(key)
    starts = np.ones(count, np.bool_)
    if count < 2:
        return starts
    distances = np.full(count - 1, np.nan)
    if metres is not None:
        distances = np.linalg.norm(np.diff(metres, axis=0), axis=1)
    starts[1:] = np.diff(key) != 0
    for first, last in _runs(starts):
        if last - first < 2:  # as many as there are places where each has a folder of its own
            continue
        steps = np.diff(number[first:last])
        inside = starts[first + 1 : last]
        step_metres = distances[first : last - 1]
        if number[first] >= 0:
            usual = np.median(steps[steps > 0]) if (steps > 0).any() else 1
            inside |= steps > _GAP * max(1, usual)
        elif metres is None or not _follow(
            metres[first:last], step_metres, placed=bool(placed[first])
        ):
            inside[:] = True
            continue
        inside |= _leaps(step_metres, _LEAST_GAP_M)
        # Photos that only the clock orders may be from several trips on one day.
        most = _LEAST_GAP_S if by_time[first] else np.inf
        inside |= _leaps(np.abs(np.diff(times[first:last])), _LEAST_GAP_S, most)
    return starts


def _leaps(steps: Floats, least: float, most: float = np.inf) -> NDArray[np.bool_]:
    """A mask of the steps longer than `least` and `_GAP` times the median, or than `most`."""
    finite = steps[np.isfinite(steps)]
    if not len(finite):
        return np.zeros(len(steps), np.bool_)
    limit = min(max(least, _GAP * float(np.median(finite))), most)
    return np.nan_to_num(steps) > limit


def _runs(starts: NDArray[np.bool_]) -> list[tuple[int, int]]:
    first = np.flatnonzero(starts)
    return list(zip(first.tolist(), [*first[1:].tolist(), len(starts)], strict=True))


def _follow(run: Floats, steps: Floats, *, placed: bool) -> bool:
    """Whether places without numbers lie along a way in their order.

    Places that were sorted by their positions lie along a single way, not along two parallel ways.
    """
    steps = steps[np.isfinite(steps)]
    if len(run) < 3 or not len(steps):
        return False
    half_way = np.linalg.norm(run - np.roll(run, len(run) // 2, axis=0), axis=1)
    half_way = half_way[np.isfinite(half_way)]
    if not len(half_way) or float(np.median(steps)) * 5 >= float(np.median(half_way)):
        return False
    return not placed or _is_one_way(run, steps)


def _is_one_way(run: Floats, steps: Floats) -> bool:
    steps = steps[steps > 0]
    if not len(steps):
        return False
    from scipy.spatial import cKDTree  # takes 0.2 s, only for names with positions

    points = np.unique(run[np.isfinite(run).all(axis=1)], axis=0)
    nearest = cKDTree(points).query(points, k=2)[0][:, 1]
    return bool(np.percentile(steps, 75) <= _ONE_WAY_RATIO * np.median(nearest))
