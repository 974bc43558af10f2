"""A video as a source: which frames are taken, where they are kept, and where they were taken."""

import stat
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from place_search.core.errors import WrongParameterError
from place_search.indexer import IndexWriteError, SourceError, VideoRequest, open_source, start_of
from place_search.indexer.sources.gpx import GpxTrack
from place_search.photos.video import VideoError

av: Any = pytest.importorskip("av")
RECORDED = "2026-05-01T10:00:00.000000Z"
METRE = 1 / 111_195
"""In degrees of latitude."""


def write_video(
    path: Path, recorded: str = RECORDED, seconds: int = 6, size: tuple[int, int] = (64, 96)
) -> Path:
    """Ten frames a second, each brighter than the one before; `size` is height and width."""
    with av.open(str(path), "w") as container:
        if recorded:
            container.metadata["creation_time"] = recorded
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for number in range(10 * seconds):
            shade = np.full((*size, 3), 20 + 3 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(shade, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_gpx(path: Path, *segments: Sequence[tuple[str, float, float]]) -> Path:
    """A file of points: time, latitude, longitude."""
    drawn = "".join(
        "<trkseg>"
        + "".join(
            f'<trkpt lat="{latitude:.9f}" lon="{longitude:.9f}"><time>{time}</time></trkpt>'
            for time, latitude, longitude in points
        )
        + "</trkseg>"
        for points in segments
    )
    path.write_text(
        f'<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1"><trk>{drawn}</trk></gpx>'
    )
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4")


@pytest.fixture
def gpx(tmp_path: Path) -> Path:
    """North at 3 m a second for four seconds, in summer time of central Europe."""
    points = [(f"2026-05-01T12:00:0{at}+02:00", 48 + 3 * at * METRE, 11.5) for at in range(5)]
    return write_gpx(tmp_path / "walk.gpx", points)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))


def test_frames_are_kept_as_photos(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir(0o700)
    source = open_source(clip, None, VideoRequest(tmp_path / "index", fps=1))
    assert (source.kind, source.root) == ("video", tmp_path / "index-frames")
    assert [photo.name for photo in source.photos] == [
        f"clip/frame_{number:06d}.jpg" for number in range(6)
    ]
    shades = [np.asarray(Image.open(photo.path)).mean() for photo in source.photos]
    assert shades == pytest.approx([20 + 30 * number for number in range(6)], abs=6)
    assert all(photo.position is None for photo in source.photos)
    assert not source.warnings
    # Who may not read the index may not read its frames either.
    assert stat.S_IMODE((tmp_path / "index-frames").stat().st_mode) == 0o700
    # Whoever indexes that folder later finds the frames and nothing else.
    again = open_source(tmp_path / "index-frames")
    assert [photo.path for photo in again.photos] == [photo.path for photo in source.photos]
    assert not again.left_out


def test_positions_come_by_time_with_its_zone(clip: Path, gpx: Path, tmp_path: Path) -> None:
    source = open_source(clip, None, VideoRequest(tmp_path / "index", gpx=gpx, fps=2))
    metres = [
        None if photo.position is None else (photo.position.latitude - 48) / METRE
        for photo in source.photos
    ]
    assert metres[:9] == pytest.approx([1.5 * number for number in range(9)], abs=0.01)
    assert metres[9:] == [None] * 3
    [warning] = source.warnings
    assert warning.startswith("3 of the 12 frames of clip.mp4 have no position")
    assert "2026-05-01 10:00:00 UTC to 2026-05-01 10:00:04 UTC" in warning


def test_frames_by_metres_leave_out_what_is_off_the_track(
    clip: Path, gpx: Path, tmp_path: Path
) -> None:
    source = open_source(clip, None, VideoRequest(tmp_path / "index", gpx=gpx, every_m=3))
    metres = [(photo.position.latitude - 48) / METRE for photo in source.photos if photo.position]
    assert metres == pytest.approx([0, 3, 6, 9, 12], abs=0.01)
    assert len(source.photos) == 5
    assert not source.warnings


def test_a_video_without_a_time_starts_with_the_track(gpx: Path, tmp_path: Path) -> None:
    silent = write_video(tmp_path / "silent.mp4", recorded="")
    source = open_source(silent, None, VideoRequest(tmp_path / "index", gpx=gpx, every_m=6))
    assert len(source.photos) == 3
    assert "is taken to start with walk.gpx at 2026-05-01 10:00:00 UTC" in source.warnings[0]
    start = datetime.fromisoformat("2026-05-01T12:00:02+02:00")
    request = VideoRequest(tmp_path / "index", gpx=gpx, fps=1, start=start)
    first = open_source(silent, None, request).photos[0]
    assert first.position is not None
    assert (first.position.latitude - 48) / METRE == pytest.approx(6, abs=0.01)


def test_an_interrupted_run_goes_on(clip: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    frames = tmp_path / "index-frames"
    with pytest.raises(KeyboardInterrupt):
        open_source(clip, None, VideoRequest(tmp_path / "index", progress=stop))
    assert len(names(frames)) == 3
    before = (frames / names(frames)[0]).stat()
    source = open_source(clip, None, VideoRequest(tmp_path / "index"))
    assert len(source.photos) == len(names(frames)) == 12
    assert (frames / names(frames)[0]).stat().st_ino == before.st_ino
    calls: list[int] = []
    open_source(
        clip,
        None,
        VideoRequest(tmp_path / "index", progress=lambda *arguments: calls.append(arguments[1])),
    )
    assert not calls
    # What was deleted since comes back.
    (frames / names(frames)[5]).unlink()
    open_source(clip, None, VideoRequest(tmp_path / "index"))
    assert len(names(frames)) == 12


def test_a_video_that_was_cut_off_is_told(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    for _ in range(2):  # also where the frames are kept already
        source = open_source(tmp_path / "cut.mkv", None, VideoRequest(tmp_path / "index"))
        assert 1 < len(source.photos) < 12
        [warning] = source.warnings
        assert "of the 6.0 seconds that its header states" in warning


def test_other_files_are_never_written_over(clip: Path, tmp_path: Path) -> None:
    frames = tmp_path / "index-frames"
    (frames / "clip").mkdir(parents=True)
    (frames / "clip" / "frame_000000.jpg").write_bytes(b"mine")
    with pytest.raises(SourceError, match=r"clip holds other files, .* move it away"):
        open_source(clip, None, VideoRequest(tmp_path / "index"))
    assert (frames / "clip" / "frame_000000.jpg").read_bytes() == b"mine"


def test_no_frames_are_taken_for_a_folder_that_takes_no_index(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "mine.txt").write_text("mine")
    with pytest.raises(IndexWriteError):
        open_source(clip, None, VideoRequest(tmp_path / "index"))
    assert not (tmp_path / "index-frames").exists()


def test_a_track_of_1970_counts_from_the_start_of_the_video(clip: Path, tmp_path: Path) -> None:
    points = [(f"1970-01-01T00:00:0{at}.000Z", 48 + at * METRE, 11.5) for at in range(7)]
    gpx = write_gpx(tmp_path / "track.gpx", points)
    source = open_source(clip, None, VideoRequest(tmp_path / "index", gpx=gpx, fps=1))
    assert all(photo.position is not None for photo in source.photos)
    assert not source.warnings
    starts = [datetime.fromisoformat(f"{day}T00:00:02Z") for day in ("1970-01-01", "2026-05-01")]
    request = VideoRequest(tmp_path / "index", gpx=gpx, fps=1, start=starts[0])
    first = open_source(clip, None, request).photos[0]
    assert first.position is not None
    assert (first.position.latitude - 48) / METRE == pytest.approx(2, abs=0.01)
    with pytest.raises(SourceError, match=r"starts at 2026-05-01 00:00:02 UTC as was said"):
        open_source(clip, None, VideoRequest(tmp_path / "index", gpx=gpx, fps=1, start=starts[1]))


def test_each_choice_of_frames_has_its_folder(clip: Path, tmp_path: Path) -> None:
    frames = tmp_path / "index-frames"
    open_source(clip, None, VideoRequest(tmp_path / "index", fps=1))
    (tmp_path / "other").mkdir()
    other = write_video(tmp_path / "other" / "clip.mp4", seconds=2)
    assert len(open_source(other, None, VideoRequest(tmp_path / "index", fps=1)).photos) == 2
    source = open_source(clip, None, VideoRequest(tmp_path / "index", fps=1))
    assert source.photos[5].name == "clip/frame_000005.jpg"
    assert [name for name in names(frames) if name.startswith("clip 2/")] == [
        "clip 2/frame_000000.jpg",
        "clip 2/frame_000001.jpg",
    ]


def test_what_cannot_be_is_said(clip: Path, gpx: Path, tmp_path: Path) -> None:
    frames = tmp_path / "index-frames"
    with pytest.raises(SourceError, match=r"need the track of the camera; name its GPX file"):
        VideoRequest(tmp_path / "index", every_m=2)
    with pytest.raises(SourceError, match="by metres or by fps"):
        VideoRequest(tmp_path / "index", gpx=gpx, every_m=2, fps=1)
    with pytest.raises(WrongParameterError, match=r"from 0\.001 to 1,000"):
        VideoRequest(tmp_path / "index", fps=0)
    with pytest.raises(SourceError, match=r"has no time zone; write it as 2026-05-01T10:00:00Z"):
        VideoRequest(
            tmp_path / "index", gpx=gpx, start=datetime.fromisoformat("2026-05-01T10:00:00")
        )
    time = datetime.fromisoformat("2026-05-01T10:00:00+02:00")
    assert (start_of(" 2026-05-01T10:00:00+02:00"), start_of(time), start_of(None)) == (
        *(time, time, None),
    )
    for wrong in ("soon", 5):
        with pytest.raises(WrongParameterError, match=f"video's start '{wrong}' is no time"):
            start_of(wrong)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match=r"clip\.mp4 is a video, whose frames only"):
        open_source(clip)
    (tmp_path / "photos.csv").write_text("path\nclip.mp4\n")
    with pytest.raises(SourceError, match=r"photos\.csv is no video"):
        open_source(tmp_path / "photos.csv", None, VideoRequest(tmp_path / "index", fps=1))
    (tmp_path / "words.mp4").write_text("words")
    with pytest.raises(VideoError, match="is not a video that can be read"):
        open_source(tmp_path / "words.mp4", None, VideoRequest(tmp_path / "index"))
    assert not frames.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<gpx></gpx>", "has no track points"),
        ('<gpx><trkpt lat="48" lon="11"/></gpx>', "no track points with a position and a time"),
        ("words", "is not a GPX file"),
        (
            '<gpx><trkpt lat="48" lon="11"><time>2026-05-02T10:00:00Z</time></trkpt></gpx>',
            r"goes from 2026-05-02 .* clip\.mp4 starts at 2026-05-01 10:00:00 UTC by its metadata",
        ),
    ],
)
def test_tracks_that_do_not_serve(clip: Path, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "bad.gpx").write_text(content)
    with pytest.raises(SourceError, match=message):
        open_source(clip, None, VideoRequest(tmp_path / "index", gpx=tmp_path / "bad.gpx"))
    assert not (tmp_path / "index-frames").exists()


@pytest.fixture
def joined(tmp_path: Path) -> Path:
    """Three clips of 2 s that were joined, without a time of recording."""
    path = tmp_path / "joined.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for shade in range(50, 100):
            pixels = np.full((64, 96, 3), shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes() * 3)
    return path


@pytest.mark.parametrize("sampling", [{"fps": 1}, {"every_m": 1}])
def test_joined_clips_last_as_long_as_all_of_them(
    joined: Path, tmp_path: Path, sampling: dict[str, Any]
) -> None:
    """The header states the length of one: a track of the last seconds alone serves too."""
    points = [(f"2026-05-01T10:00:{at:02}Z", 48 + at * METRE, 11.5) for at in range(4, 9)]
    start = datetime.fromisoformat("2026-05-01T10:00:00Z")
    request = VideoRequest(
        tmp_path / "index", gpx=write_gpx(tmp_path / "late.gpx", points), start=start, **sampling
    )
    placed = [photo.position for photo in open_source(joined, None, request).photos]
    metres = [(at.latitude - 48) / METRE for at in placed if at]
    assert metres == pytest.approx([4, 5], abs=0.01)
    none_yet = [(f"2026-05-01T10:01:{at:02}Z", 48.0 + at * METRE, 11.5) for at in range(9)]
    request = VideoRequest(
        tmp_path / "index", gpx=write_gpx(tmp_path / "no.gpx", none_yet), start=start, **sampling
    )
    with pytest.raises(SourceError, match=r"joined\.ts starts at .* as was said; name the track"):
        open_source(joined, None, request)


def test_no_position_where_the_receiver_was_off(tmp_path: Path) -> None:
    first = [("2026-05-01T10:00:00Z", 48.0, 179.999), ("2026-05-01T10:00:10Z", 48.0, -179.999)]
    second = [("2026-05-01T10:05:00", 48.1, 0.0), ("2026-05-01T10:05:10", 48.1, 0.0)]
    track = GpxTrack(write_gpx(tmp_path / "walk.gpx", first, second))
    middle = track.at(track.times[0] + 5)
    assert middle is not None
    assert abs(middle.longitude) == pytest.approx(180, abs=1e-6)  # across the date line
    assert track.at(track.times[1] + 60) is None
    assert track.at(track.times[2]) is not None
    assert track.at(track.times[-1] + 1) is None
    assert "without a time zone" in track.warnings[0]
    # From segment to segment nothing is gone: 149 m of the first, and none of the second.
    assert len(track.times_every(50)) == 3


def test_frames_by_metres_are_taken_on_the_way_not_in_a_stop_or_a_gap(tmp_path: Path) -> None:
    def north(first: int, metres: Sequence[int]) -> list[tuple[str, float, float]]:
        return [
            (f"2026-05-01T10:00:{first + at:02}Z", 48 + north * METRE, 11.5)
            for at, north in enumerate(metres)
        ]

    stop, gap = [0, 2, 4, 4, 4, 4, 4, 6, 8], [100, 102, 104, 104]
    track = GpxTrack(write_gpx(tmp_path / "walk.gpx", north(0, stop), north(40, gap)))
    seconds = track.times_every(3) - track.times[0]
    # 3 and 6 m, then 1 m past the gap, and 4 m, where the track ends in a stop.
    assert seconds == pytest.approx([0, 1.5, 7, 40.5, 42], abs=0.01)
    assert all(track.at(time) is not None for time in track.times[0] + seconds)
    # A receiver that never moved still gives one frame.
    still = GpxTrack(write_gpx(tmp_path / "still.gpx", north(0, [1, 1])))
    assert still.times_every(3) == pytest.approx(still.times[:1])


def test_the_track_of_a_second_receiver_leads_no_frame_away(tmp_path: Path) -> None:
    first = [(f"2026-05-01T10:00:{at:02}Z", 48.0, 11.5) for at in range(0, 20, 2)]
    second = [(f"2026-05-01T10:00:{at:02}Z", 49.0, 11.5) for at in range(5, 30)]
    track = GpxTrack(write_gpx(tmp_path / "both.gpx", first, second))
    assert {
        position.latitude for at in range(19) if (position := track.at(track.times[0] + at))
    } == {48.0}
    [warning] = track.warnings
    assert "overlap in time, so 14 points of later ones have no effect" in warning
    # A point that ends one segment and begins the next is no overlap.
    joined = GpxTrack(write_gpx(tmp_path / "joined.gpx", first[:5], first[4:]))
    assert (len(joined.times), joined.warnings) == (10, [])
