"""The order of an index's places: which were photographed one after the other, in which sequence.

A source may name sequences. Else names say it: `walk1/frame_0012.jpg` is number 12 of the sequence
`walk1/frame_`. A date with a time in a name is a time, not a number. Where names hold no numbers,
or all else in them differs too, the times of the photos count, or the order of the places if their
positions follow it.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MARGIN = 8
"""Free coordinates between two sequences; no step is as long, so that none leads across."""
_GAP = 10
"""A step ends a sequence if it is so many times the usual one, in numbers, metres or seconds."""
_LEAST_GAP_M = 50.0
_LEAST_GAP_S = 300.0
"""Nothing nearer than these, in metres or seconds, ends one."""
_NUMBER = re.compile(r"(\d+)(?=\D*$)")
"""The last number of a name."""
_SECONDS = re.compile(r"(\d{10})\.(\d{1,9})")
"""A name that is a time since 1970, as cameras of robots write it."""
_DATED = re.compile(
    r"(?<!\d)(\d{4})[-_.]?(\d\d)[-_.]?(\d\d)[-_ T.]?(\d\d)[-_.h]?(\d\d)[-_.m]?(\d\d)"
    r"(?:[-_.]?(\d{1,9}))?(?=\D*$)"
)
"""A date with a time at the end of a name, as phones and dash cameras write it: 20240501_115830."""
_VIEW = re.compile(r"#(?:heading|yaw)=\d{3}$")
"""What the name of a panorama's view adds to that of the panorama."""
_PLACED = "@"
"""The sequence of names that begin with their position, so that lists are sorted by that."""
_BESIDE = 2.0
"""On one way three steps of four are at most so many times as long as the way to the nearest place
is in the median; where a list goes from one side of a street to the other, they are longer."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class _Named(NamedTuple):
    """The folder of a name, its sequence there, and its number, -1 where it says none.

    A name may bear a time in its place: `seconds` since 1970, in whatever zone.
    """

    folder: str
    sequence: str
    number: int
    seconds: float = math.nan

    @property
    def key(self) -> tuple[str, str]:
        """What the names of one sequence have in common."""
        return self.folder, self.sequence


@dataclass(frozen=True, slots=True)
class Routes:
    """Places, or frames, on one axis: those of a sequence side by side, sequences apart.

    `coordinate` is that of each row, (N,); `row` is the row at each coordinate, -1 at free ones;
    `sequence` and `folder` number those of each row.
    """

    coordinate: Ints
    row: Ints
    sequence: Ints
    folder: Ints

    @property
    def sequences(self) -> int:
        """How many sequences there are; a place by itself is one."""
        return int(self.sequence.max(initial=-1)) + 1

    @property
    def is_ordered(self) -> bool:
        """Whether any two places follow one another."""
        return self.sequences < len(self.sequence)

    def along(self, row: int, steps: int) -> int | None:
        """The row so many steps on in the same sequence; None beyond its ends."""
        at = int(self.coordinate[row]) + steps
        found = int(self.row[at]) if 0 <= at < len(self.row) else -1
        return found if found >= 0 and self.sequence[found] == self.sequence[row] else None


def find_routes(
    names: Sequence[str],
    metres: Floats | None = None,
    *,
    sequences: Sequence[str] = (),
    taken: Floats | None = None,
) -> Routes:
    """The sequences among places by their names, positions and times.

    `metres` is (N, 2) or (N, 3), and `taken` (N,) in seconds, NaN for none; `sequences` are those
    that a source names, "" for none. Else a sequence are the places of a folder whose names differ
    in their last number or their time only, in the order of these, or in that of when they were
    taken where names differ in more or have none. It ends where a number, a position or a time is
    ten times as far from the one before as usual.
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
        """Whether all that is in the sequence of each row has a time."""
        return np.asarray(np.bincount(key, ~np.isfinite(times))[key] == 0)

    times = np.array([each.seconds for each in parsed], np.float64)
    named = np.isfinite(times)
    from_source = np.array([bool(name) for name in sequences], np.bool_)
    if taken is not None:
        times = np.where(named & ~(from_source & are_timed(taken)), times, taken)
    named |= from_source
    timed = are_timed(times)
    by_time = timed & (named | (number < 0))
    order = np.lexsort((rows, number, np.where(by_time, times, 0), key, folder))
    # What the source or the clock orders has no gaps in its numbers.
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
    """Names, those of views without what they add to the panorama's, and the numbers of views.

    The views that look the same way from one panorama to the next are a sequence, not those of one.
    """
    whole = [_VIEW.sub("", name) for name in names]
    seen: Counter[str] = Counter()
    views = []
    for name, panorama in zip(names, whole, strict=True):
        views.append(seen[panorama] if name != panorama else 0)
        seen[panorama] += 1
    return whole, views


def _parsed(names: Sequence[str], sequences: Sequence[str]) -> list[_Named]:
    """What each name says.

    A number says nothing in a name like no other: `walk_0001_cam2` is number 2 of `walk_0001_cam`.
    """
    read = [*map(_parse, names)]
    alike = Counter(each.key for each in read)
    dated = _dated(names)
    parsed = []
    for row, (each, named) in enumerate(zip(read, sequences, strict=True)):
        if named:
            seconds = dated[row].seconds if row in dated else math.nan
            parsed.append(_Named(f"\0{named}", "", each.number, seconds))
        elif row in dated:
            parsed.append(dated[row])
        elif alike[each.key] == 1:
            parsed.append(_Named(each.folder, "", -1))
        else:
            parsed.append(each)
    return parsed


def _parse(name: str) -> _Named:
    """What a name says by its last number; the sequence is what is left of it without that."""
    folder, stem = _folder_and_stem(name)
    if seconds := _SECONDS.fullmatch(stem):
        stem = seconds[1] + seconds[2].ljust(9, "0")
    if stem.startswith(_PLACED):
        return _Named(folder, _PLACED, -1)
    found = _NUMBER.search(stem)
    if found is None or len(found[1]) > 19 or int(found[1]) > np.iinfo(np.int64).max:
        return _Named(folder, "", -1)
    return _Named(folder, f"{stem[: found.start()]}\0{stem[found.end() :]}", int(found[1]))


def _dated(names: Sequence[str]) -> dict[int, _Named]:
    """What names with a date and a time say, by their rows.

    Where all bear one time, as frames of a video that is named so, what follows it is a number.
    Else that is a part of a second, if it has as many digits everywhere, or none.
    """
    read: dict[tuple[str, str], list[tuple[int, float, str]]] = {}
    for row, name in enumerate(names):
        folder, stem = _folder_and_stem(name)
        found = _DATED.search(stem)
        if found is None or stem.startswith(_PLACED):
            continue
        *digits, part = found.groups(default="")
        year, month, day, hour, minute, second = map(int, digits)
        try:
            time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:  # digits of something else
            continue
        key = folder, f"{stem[: found.start()]}\0\0{stem[found.end() :]}"
        read.setdefault(key, []).append((row, time.timestamp(), part))
    return {
        row: _Named(*key, -1, seconds + float(f"0.{part}"))
        for key, rows in read.items()
        if len({seconds for _, seconds, _ in rows}) > 1
        if len({len(part) for _, _, part in rows if part}) <= 1
        for row, seconds, part in rows
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
    """Where a sequence starts, of rows in their order.

    `by_time` are in it by their times alone, and `placed` ones by their positions.
    """
    count = len(key)
    starts = np.ones(count, np.bool_)
    if count < 2:
        return starts
    apart = np.full(count - 1, np.nan)
    if metres is not None:
        apart = np.linalg.norm(np.diff(metres, axis=0), axis=1)
    starts[1:] = np.diff(key) != 0
    for first, last in _runs(starts):
        steps = np.diff(number[first:last])
        inside = starts[first + 1 : last]
        known = apart[first : last - 1]
        if not len(steps):
            continue
        if number[first] >= 0:
            inside |= steps > _GAP * np.median(steps[steps > 0], keepdims=True).max(initial=1)
        elif metres is None or not _follow(metres[first:last], known, placed=bool(placed[first])):
            inside[:] = True
            continue
        inside |= _leaps(known, _LEAST_GAP_M)
        # Photos that nothing but the clock orders may be of one day's errands, too.
        most = _LEAST_GAP_S if by_time[first] else np.inf
        inside |= _leaps(np.abs(np.diff(times[first:last])), _LEAST_GAP_S, most)
    return starts


def _leaps(steps: Floats, least: float, most: float = np.inf) -> NDArray[np.bool_]:
    """Which steps are far longer than usual, and than `least`, or longer than `most`."""
    known = steps[np.isfinite(steps)]
    if not len(known):
        return np.zeros(len(steps), np.bool_)
    limit = min(max(least, _GAP * float(np.median(known))), most)
    return np.nan_to_num(steps) > limit


def _runs(starts: NDArray[np.bool_]) -> list[tuple[int, int]]:
    first = np.flatnonzero(starts)
    return list(zip(first.tolist(), [*first[1:].tolist(), len(starts)], strict=True))


def _follow(run: Floats, steps: Floats, *, placed: bool) -> bool:
    """Whether places without numbers lie along a way in their order.

    Those in the order of their positions do on one way, not on two side by side, as there and back.
    """
    steps = steps[np.isfinite(steps)]
    if len(run) < 3 or not len(steps):
        return False
    apart = np.linalg.norm(run - np.roll(run, len(run) // 2, axis=0), axis=1)
    apart = apart[np.isfinite(apart)]
    if not len(apart) or float(np.median(steps)) * 5 >= float(np.median(apart)):
        return False
    return not placed or _is_one_way(run, steps)


def _is_one_way(run: Floats, steps: Floats) -> bool:
    steps = steps[steps > 0]
    if not len(steps):
        return False
    from scipy.spatial import cKDTree  # 0.2 s that other names need not wait for

    spots = np.unique(run[np.isfinite(run).all(axis=1)], axis=0)
    nearest = cKDTree(spots).query(spots, k=2)[0][:, 1]
    return bool(np.percentile(steps, 75) <= _BESIDE * np.median(nearest))
