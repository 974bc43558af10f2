"""The track of a camera among the places of an index: each frame of a folder or video located."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.core.errors import PlaceSearchError
from place_search.core.files import locked_file
from place_search.core.progress import Progress, silent
from place_search.indexer import Index
from place_search.models import Model
from place_search.search.tracks.evidence import ENOUGH, SILENCE, Evidence
from place_search.search.tracks.frame_file import FrameFile
from place_search.search.tracks.inputs import Frame, TrackInput
from place_search.search.tracks.live import LiveTrack
from place_search.search.tracks.located import COLUMNS, LocatedFrame, is_astray, locate
from place_search.search.tracks.markov import State
from place_search.search.tracks.motion import SPEEDS
from place_search.search.tracks.observer import (
    CANDIDATES,
    CANDIDATES_OF_FILES,
    Lens,
    Observer,
)
from place_search.search.tracks.smoothing import Break, Observed, learn_speeds, smoothed
from place_search.search.tracks.standardize import Statistics

_ASTRAY, _LEAST_ASTRAY = 0.06, 3
"""The share of frames at odds with their track, and the number, from which on a note tells it."""
FEW = 30
"""Places of an index up to which a note tells that frames that are not known may be there.

The places that a frame shows are then a good part of those that it should stand out from. On
Gardens Point frames of walks through all places were called elsewhere in indexes of up to 17 by day
and 30 by night.
"""
LEARNT_FROM = 1000
"""The first frames of a track, from which its speeds are learnt."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Track:
    """All frames of an input, located in an index; `notes` are sentences on what was odd.

    `starts` are the frames that begin a sequence, each of which is a track of its own.
    """

    index_id: str
    model: str
    frames: Sequence[LocatedFrame]
    notes: Sequence[str] = ()
    starts: frozenset[int] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """The track as JSON has it."""
        known = sum(frame.known for frame in self.frames)
        return {
            "index_id": self.index_id,
            "model": self.model,
            "standardized": True,
            "known": known,
            "off": len(self.frames) - known,
            "frames": [frame.to_dict() for frame in self.frames],
            "notes": list(self.notes),
        }

    def to_columns(self) -> dict[str, list[Any]]:
        """A column for each of `COLUMNS`, a row a frame, as `pandas.DataFrame` takes them."""
        rows = [frame.to_row() for frame in self.frames]
        return {name: [row[name] for row in rows] for name in COLUMNS}


def track_frames(
    index: Index,
    model: Model,
    source: TrackInput,
    kept: Path,
    *,
    causal: bool = False,
    progress: Progress = silent,
) -> Track:
    """Locate all frames of an input.

    Descriptors are kept in the file `kept`: a run that was interrupted goes on from them, and
    whoever named it removes it once the track is written. They are standardised by the mean of all
    frames. `causal` frames know only those before them, as a live camera does.

    Raises:
        ModelMismatchError: the index was made with another model.
        PlaceSearchError: an input without frames, or no room for the descriptors.
    """
    index.check_model(model)
    observer = Observer(index, candidates=CANDIDATES if causal else CANDIDATES_OF_FILES)
    with locked_file(kept) as opened:
        file = FrameFile(opened, index.dims, f"{model.fingerprint}\n{source.identity}")
        told = _describe(model, source, file, progress)
        located = [*_locate_all(observer, file, told, causal, progress)]
    frames = [frame for frame, _ in located]
    notes = list(source.notes)
    if not observer.routes.is_ordered:
        notes.append(
            "The index's places are in no order by their names or positions, so that no movement "
            "along them can be followed."
        )
    elif index.count > ENOUGH and sum(astray for _, astray in located) >= max(
        _LEAST_ASTRAY, _ASTRAY * len(frames)
    ):
        notes.append(
            "Many frames look like places that the track does not lead to: they seem to lie "
            f"further apart than it can follow ({max(SPEEDS):.0f} places a frame); take more "
            "frames (--fps, --every), or search them one by one."
        )
    elif index.count <= FEW and not all(frame.known for frame in frames):
        notes.append(
            f"An index of {index.count} places has too few to tell by them how much a frame stands "
            "out; search the frames that are not known one by one."
        )
    lost = sum(frame.error is not None for frame in frames)
    if lost == len(frames):
        raise PlaceSearchError(f"None of the frames can be read: {frames[0].error}")
    if lost:
        notes.append(f"{lost} of the frames could not be read; their neighbours tell their place.")
    starts = frozenset(at for at, frame in enumerate(told) if frame.before is not Break.NONE)
    return Track(index.index_id, index.model_id, frames, notes, starts)


def _describe(model: Model, source: TrackInput, file: FrameFile, progress: Progress) -> list[Frame]:
    """Describe the frames that the file lacks; returns what is told of all, without pixels."""
    told: list[Frame] = []
    done = file.count
    reader = _Reader(model, source, done, told)
    progress("Describing", done, max(source.expected, done))
    for number, embedding in model.stream(reader):
        _fill(file, told, number)
        file.append(embedding.descriptor if embedding.is_finite else None)
        progress("Describing", file.count, max(source.expected, file.count))
    _fill(file, told, len(told))
    return told


def _fill(file: FrameFile, told: Sequence[Frame], until: int) -> None:
    """Rows for frames before `until` that could not be read."""
    while file.count < until:
        file.append(None)


class _Reader:
    """The frames for the model; what is told of each is kept in a list."""

    def __init__(self, model: Model, source: TrackInput, skip: int, told: list[Frame]) -> None:
        self._model, self._source, self._skip, self._told = model, source, skip, told

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for number, frame in enumerate(self._source.frames(self._model, self._skip)):
            self._told.append(frame._replace(photo=None))
            if frame.photo is not None:
                yield number, self._model.prepare(frame.photo)


class _Sight:
    """One frame as the filter meets it: it is compared with the places then expected."""

    def __init__(self, track: "_Described", number: int) -> None:
        self._track, self._number = track, number

    @property
    def before(self) -> Break:
        """The break before the frame."""
        return self._track.break_before(self._number)

    def evidence(self, state: State | None) -> Evidence:
        """What the frame says, given the state before it."""
        return self._track.observe(self._number, state)


class _Described:
    """The frames of a track by their descriptors in a file."""

    def __init__(self, observer: Observer, file: FrameFile, told: Sequence[Frame]) -> None:
        self._observer, self._file, self._told = observer, file, told
        statistics = Statistics(observer.index.dims)
        for row in range(file.count):
            descriptor = file.read(row)
            if descriptor is not None:
                statistics.add(descriptor[None])
        self._lens: Lens = observer.lens(statistics)
        self._before: Vectors | None = None
        self._ordered = observer.routes.is_ordered

    def sights(self, count: int | None = None) -> Iterator[Observed]:
        """The first `count` frames, or all."""
        self._before = None
        for number in range(len(self._told) if count is None else min(count, len(self._told))):
            yield _Sight(self, number)

    def break_before(self, number: int) -> Break:
        """The break before a frame; in an index without order each frame is a jump."""
        before = self._told[number].before
        return Break.CUT if before is Break.NONE and not self._ordered else before

    def observe(self, number: int, state: State | None) -> Evidence:
        """What a frame says; one that cannot be read says nothing."""
        descriptor = self._file.read(number)
        if descriptor is None:
            return SILENCE
        before = None if self._told[number].before is Break.FRESH else self._before
        evidence, self._before = self._observer.observe(
            self._lens, descriptor, before, state, number=number
        )
        return evidence


def _locate_all(
    observer: Observer,
    file: FrameFile,
    told: Sequence[Frame],
    causal: bool,
    progress: Progress,
) -> Iterator[tuple[LocatedFrame, bool]]:
    """Each frame, and whether it is at odds with the track."""
    states = _live(observer, file, told) if causal else _in_hindsight(observer, file, told)
    for number, (state, frame) in enumerate(zip(states, told, strict=True)):
        error = frame.error
        if error is None and file.read(number) is None:
            error = "it could not be read"
        located = locate(observer, state, number, frame.name, frame.seconds, error)
        yield located, is_astray(state)
        progress("Tracking", number + 1, len(told))


def _in_hindsight(observer: Observer, file: FrameFile, told: Sequence[Frame]) -> Iterator[State]:
    described = _Described(observer, file, told)
    model = learn_speeds(observer.routes, lambda: described.sights(LEARNT_FROM))
    yield from smoothed(model, described.sights())


def _live(observer: Observer, file: FrameFile, told: Sequence[Frame]) -> Iterator[State]:
    track = LiveTrack(observer)
    for number, frame in enumerate(told):
        yield track.add(file.read(number), frame.before)
