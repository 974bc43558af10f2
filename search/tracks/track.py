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
from place_search.search.tracks.smoothing import (
    ObservedFrame,
    SequenceBreak,
    learn_speeds,
    smoothed,
)
from place_search.search.tracks.standardize import Statistics

_ASTRAY, _LEAST_ASTRAY = 0.06, 3
"""The share and the number of frames that contradict their track from which on a note tells it."""
FEW = 30
"""The number of places up to which a note says that frames called unknown may show a place.

The places that a frame shows are then a large share of the places that it is compared with. On
Gardens Point frames of walks through all places were called unknown in indexes of up to 17 places
by day and 30 by night.
"""
LEARNT_FROM = 1000
"""The number of first frames of a track from which its speeds are learnt."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Track:
    """All frames of an input, located in an index; `notes` are sentences on peculiarities.

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
        """A column for each of `COLUMNS`, with a row for each frame, as for `pandas.DataFrame`."""
        rows = [frame.to_row() for frame in self.frames]
        return {name: [row[name] for row in rows] for name in COLUMNS}


def track_frames(
    index: Index,
    model: Model,
    source: TrackInput,
    descriptor_file: Path,
    *,
    causal: bool = False,
    progress: Progress = silent,
) -> Track:
    """Locate all frames of an input.

    Descriptors are stored in `descriptor_file`, from which an interrupted run continues; the caller
    removes the file once the track is written. Descriptors are standardised by the mean of all
    frames. With `causal` a frame is located by itself and the frames before, as for a live camera.

    Raises:
        ModelMismatchError: the index was made with another model.
        PlaceSearchError: an input without frames, or no room for the descriptors.
    """
    index.check_model(model)
    observer = Observer(index, candidates=CANDIDATES if causal else CANDIDATES_OF_FILES)
    with locked_file(descriptor_file) as opened:
        file = FrameFile(opened, index.dims, f"{model.fingerprint}\n{source.identity}")
        input_frames = _describe(model, source, file, progress)
        located = [*_locate_all(observer, file, input_frames, causal, progress)]
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
    found = [frame.place_id for frame in frames if frame.place_id is not None]
    if (
        found
        and index.place(found[0]).utm is not None
        and all(frame.position is None for frame in frames)
    ):
        notes.append(
            "The index's places are in metres of no UTM zone, so that frames have no latitudes, "
            "longitudes and headings."
        )
    lost = sum(frame.error is not None for frame in frames)
    if lost == len(frames):
        raise PlaceSearchError(f"None of the frames can be read: {frames[0].error}")
    if lost:
        notes.append(f"{lost} of the frames could not be read; their neighbours tell their place.")
    starts = frozenset(
        at for at, frame in enumerate(input_frames) if frame.break_before is not SequenceBreak.NONE
    )
    return Track(index.index_id, index.model_id, frames, notes, starts)


def _describe(model: Model, source: TrackInput, file: FrameFile, progress: Progress) -> list[Frame]:
    """Describe the frames that the file lacks; returns all frames, without their photos.

    Frames that an earlier run could not read are read again.
    """
    frames: list[Frame] = []
    described = {row for row in range(file.count) if file.read(row) is not None}

    def read() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for number, frame in enumerate(source.frames(model, described)):
            frames.append(frame._replace(photo=None))
            if frame.photo is not None:
                yield number, model.prepare(frame.photo)

    progress("Describing", file.count, max(source.expected, file.count))
    for number, embedding in model.stream(read()):
        if embedding.is_usable:
            file.write(number, embedding.descriptor)
        file.extend(number + 1)
        progress("Describing", file.count, max(source.expected, file.count))
    file.extend(len(frames))
    return frames


class _DescribedFrame:
    """A frame with a descriptor, whose evidence depends on the places that are expected."""

    def __init__(self, track: "_DescribedFrames", number: int) -> None:
        self._track, self._number = track, number

    @property
    def break_before(self) -> SequenceBreak:
        """The break between this frame and the frame before."""
        return self._track.break_before(self._number)

    def evidence(self, state: State | None) -> Evidence:
        """The evidence of the frame, given the state before it."""
        return self._track.observe(self._number, state)


class _DescribedFrames:
    """The frames of a track with their descriptors in a file."""

    def __init__(self, observer: Observer, file: FrameFile, frames: Sequence[Frame]) -> None:
        self._observer, self._file, self._frames = observer, file, frames
        statistics = Statistics(observer.index.dims)
        for row in range(file.count):
            descriptor = file.read(row)
            if descriptor is not None:
                statistics.add(descriptor[None])
        self._lens: Lens = observer.lens(statistics)
        self._previous: Vectors | None = None
        self._ordered = observer.routes.is_ordered

    def observed(self, count: int | None = None) -> Iterator[ObservedFrame]:
        """The first `count` frames, all by default."""
        self._previous = None
        for number in range(len(self._frames) if count is None else min(count, len(self._frames))):
            yield _DescribedFrame(self, number)

    def break_before(self, number: int) -> SequenceBreak:
        """The break before a frame; in an index without order each frame is a jump."""
        kind = self._frames[number].break_before
        is_jump = kind is SequenceBreak.NONE and not self._ordered
        return SequenceBreak.NEW_SEQUENCE if is_jump else kind

    def observe(self, number: int, state: State | None) -> Evidence:
        """The evidence of a frame, none for a frame that cannot be read."""
        descriptor = self._file.read(number)
        if descriptor is None:
            return SILENCE
        begins = self._frames[number].break_before is SequenceBreak.NEW_FOLDER
        previous = None if begins else self._previous
        self._previous = descriptor
        return self._observer.observe(self._lens, descriptor, previous, state, number=number)


def _locate_all(
    observer: Observer,
    file: FrameFile,
    frames: Sequence[Frame],
    causal: bool,
    progress: Progress,
) -> Iterator[tuple[LocatedFrame, bool]]:
    """Each frame, and whether it contradicts its track."""
    states_of = _causal_states if causal else _smoothed_states
    states = states_of(observer, file, frames)
    for number, (state, frame) in enumerate(zip(states, frames, strict=True)):
        error = frame.error
        if error is None and file.read(number) is None:
            error = "it could not be read"
        located = locate(observer, state, number, frame.name, frame.seconds, error)
        yield located, is_astray(state)
        progress("Tracking", number + 1, len(frames))


def _smoothed_states(
    observer: Observer, file: FrameFile, frames: Sequence[Frame]
) -> Iterator[State]:
    described = _DescribedFrames(observer, file, frames)
    model = learn_speeds(observer.routes, lambda: described.observed(LEARNT_FROM))
    yield from smoothed(model, described.observed())


def _causal_states(observer: Observer, file: FrameFile, frames: Sequence[Frame]) -> Iterator[State]:
    track = LiveTrack(observer)
    for number, frame in enumerate(frames):
        yield track.add(file.read(number), frame.break_before)
