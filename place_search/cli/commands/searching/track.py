"""`place-search track`: where each frame of a video or of a walk was taken."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli import options
from place_search.cli.console import InterruptedRunError, print_json, print_line, print_message
from place_search.cli.indexes import require_order
from place_search.cli.terminal import progress
from place_search.core.settings import PRECISION, THREADS
from place_search.core.text import counted

if TYPE_CHECKING:
    from place_search.search.tracks.track import Track


def command(
    index: options.IndexFolder,
    frames: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="A video, a folder of photos, or a list of them (.csv, .txt)."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="File to write: .csv, .json, .geojson, .gpx or .mp4."
        ),
    ],
    fps: options.Fps = None,
    every: Annotated[
        int | None,
        typer.Option("--every", metavar="N", help="Every so many frames of a video."),
    ] = None,
    causal: Annotated[
        bool,
        typer.Option("--causal", help="Locate each frame by those before it only, as if live."),
    ] = False,
    model: options.OwnModel = None,
    threads: options.Threads = THREADS.default,
    precision: options.Precision = PRECISION.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    as_json: options.AsJson = False,
) -> None:
    """Say where each frame of a video or a walk was taken, or that it was at no known place."""
    from place_search.indexer import open_index, open_index_model
    from place_search.photos.video import require_sampling
    from place_search.tracking import frame_file, track_input

    require_sampling(every, fps)
    require_order(index, frames, "track {index} {other}")
    opened = open_index(index)
    described_by = open_index_model(
        opened.manifest,
        model,
        mode="throughput",
        threads=threads,
        precision=precision,
        max_pixels=max_megapixels * 10**6,
        verify=False,
    )
    try:
        with progress("frames") as advance:
            track = track_input(
                opened,
                described_by,
                frames,
                out=out,
                fps=fps,
                every=every,
                causal=causal,
                progress=advance,
            )
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"Interrupted; {frame_file(out)} keeps what was described, and the same command goes "
            "on from there."
        ) from None
    for note in track.notes:
        print_message(f"Note: {note}")
    _print_counts(track, out, as_json)


def _print_counts(track: "Track", out: Path, as_json: bool) -> None:
    known_count = sum(frame.known for frame in track.frames)
    count = len(track.frames)
    if as_json:
        counts = {"frames": count, "known": known_count, "off": count - known_count}
        print_json({**counts, "notes": list(track.notes), "out": str(out)})
        return
    total = counted(count, "frame")
    print_line(
        f"{total}: {known_count:,} at known places, {count - known_count:,} off them. "
        f"Written to {out}."
    )
