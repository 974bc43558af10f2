"""The track of a video or a walk, for the command line and Python."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from place_search.arguments import (
    AnyModel,
    AnyPath,
    AnyProgress,
    as_path,
    model_for,
    opened_index,
    path_of,
    reporting,
    switch,
)
from place_search.core.errors import WrongParameterError
from place_search.core.files import require_own, require_writable
from place_search.core.progress import Progress
from place_search.core.row_files import empty_map_note

if TYPE_CHECKING:
    from place_search.indexer import Index
    from place_search.models import Model
    from place_search.search.tracks.track import Track


def track(
    index: "Index | AnyPath",
    frames: AnyPath,
    *,
    out: AnyPath | None = None,
    fps: float | None = None,
    every: int | None = None,
    causal: bool = False,
    model: AnyModel = None,
    progress: AnyProgress = False,
) -> "Track":
    """Locate each frame of a video, of a folder or of a list of photos.

    A video gives `fps` frames a second, by default 2, or each `every`-th frame.
    If `causal`, each frame is located by the frames before it only, as if live. `out` is a file to
    write the track to; its ending names the format.

    Raises:
        PlaceSearchError: an index, frames or a model that cannot be used; the text says why.
    """
    opened = opened_index(index)
    with reporting(progress) as report:
        return track_input(
            opened,
            model_for(opened, model, verify=False),
            as_path(frames),
            out=path_of(out),
            fps=fps,
            every=every,
            causal=switch("causal", causal),
            progress=report,
        )


def track_input(
    index: "Index",
    model: "Model",
    frames: Path,
    *,
    out: Path | None,
    fps: float | None,
    every: int | None,
    causal: bool,
    progress: Progress,
) -> "Track":
    """Locate the frames of an input, and write the track where `out` is given.

    Raises:
        PlaceSearchError: frames that cannot be used, or a file that cannot be written.
    """
    from place_search.photos.video import Sampling, require_sampling
    from place_search.search.tracks.inputs import open_input
    from place_search.search.tracks.track import track_frames
    from place_search.search.tracks.track_files import FORMATS, VIDEO, is_track, write_track

    require_sampling(every, fps)
    if out is not None and out.suffix.lower() not in (*FORMATS, VIDEO):
        raise WrongParameterError(f"{out} must end in {', '.join(FORMATS)} or {VIDEO}.", "out")
    if out is not None:
        require_writable(out, frames, index=index.folder)
        require_own(out, "a track", is_track)
    source = open_input(frames, None if fps is None and every is None else Sampling(every, fps))
    if out is None:
        with tempfile.TemporaryDirectory() as scratch:
            descriptor_file = Path(scratch, "frames")
            return track_frames(
                index, model, source, descriptor_file, causal=causal, progress=progress
            )
    descriptor_file = frame_file(out)
    track = track_frames(index, model, source, descriptor_file, causal=causal, progress=progress)
    write_track(track, out, source, model, index)
    if note := empty_map_note(out, placed=index.has_positions):
        track = replace(track, notes=[*track.notes, note])
    descriptor_file.unlink(missing_ok=True)
    return track


def frame_file(out: Path) -> Path:
    """The file beside a result that keeps the descriptors of an unfinished run."""
    return out.with_name(f".{out.name}.frames")
