"""Videos as people have them: turned, cut off, of uneven rate, in HDR, or none at all."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from place_search.core.errors import PlaceSearchError
from place_search.core.files import telling_unwritable
from place_search.photos.video import Sampling, Video, VideoError, is_video, write_video
from tests.full_disk import files_up_to

av: Any = pytest.importorskip("av")
SIZE = (64, 96)


def picture(shade: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Grey of one shade, with a white corner at the top left."""
    pixels = np.full((*SIZE, 3), shade, np.uint8)
    pixels[:24, :24] = 255
    return pixels


def write(path: Path, times: Sequence[int], *, rate: int = 10, codec: str = "mpeg4") -> Path:
    """A frame at each time, in seconds by `rate`, each brighter than the one before."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(20 + 4 * number), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three seconds at ten frames a second."""
    return write(tmp_path / "clip.mp4", range(30))


def test_frames_come_by_number_or_by_time(clip: Path) -> None:
    every = list(Video(clip, Sampling(every=10)).frames())
    assert [frame.number for frame in every] == [0, 10, 20]
    by_time = list(Video(clip, Sampling(fps=5)).frames())
    assert [frame.number for frame in by_time] == list(range(0, 30, 2))
    assert [frame.number for frame in Video(clip).frames()] == [0, 5, 10, 15, 20, 25]
    assert [frame.seconds for frame in every] == pytest.approx([0, 1, 2])
    shades = [int(frame.photo.pixels[50, 80, 0]) for frame in every]
    assert shades == pytest.approx([20, 60, 100], abs=6)
    assert Video(clip).expected == 6


def test_more_frames_a_second_than_there_are_means_all(clip: Path) -> None:
    assert len(list(Video(clip, Sampling(fps=1000)).frames())) == 30


def test_an_uneven_rate_is_told_by_the_times(tmp_path: Path) -> None:
    video = write(tmp_path / "vfr.mp4", [0, 1, 2, 3, 20, 21, 22, 40])
    frames = list(Video(video, Sampling(fps=1)).frames())
    assert [frame.number for frame in frames] == [0, 4, 7]
    assert [frame.seconds for frame in frames] == pytest.approx([0, 2, 4])


@pytest.mark.parametrize("sampling", [Sampling(fps=5), Sampling(every=5)])
def test_clips_that_were_joined_follow_one_another(tmp_path: Path, sampling: Sampling) -> None:
    joined = write(tmp_path / "joined.ts", range(50), rate=25, codec="mpeg2video")
    joined.write_bytes(joined.read_bytes() * 3)
    video = Video(joined, sampling)
    frames = list(video.frames())
    assert [frame.number for frame in frames] == list(range(0, 150, 5))
    assert [frame.seconds for frame in frames] == pytest.approx([f.number / 25 for f in frames])
    [note] = video.notes
    assert note.startswith("joined.ts joins 3 clips ")


def clock(prefix: int, time: int) -> bytes:
    """The five bytes of a time in 1/90,000 s in the header of a packet of MPEG."""
    parts = time >> 30 & 7, time >> 15 & 0x7FFF, time & 0x7FFF
    bits = prefix << 36 | parts[0] << 33 | parts[1] << 17 | parts[2] << 1 | 0x1_0001_0001
    return bits.to_bytes(5, "big")


@pytest.mark.parametrize("sampling", [Sampling(fps=5), Sampling(every=5)])
@pytest.mark.parametrize("off", [-600, -2, 2, 600])
def test_one_wrong_time_shifts_no_other(tmp_path: Path, off: int, sampling: Sampling) -> None:
    path = write(tmp_path / "clip.ts", range(25_000, 25_050), rate=25, codec="mpeg2video")
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux() if packet.size][20]
    content = path.read_bytes()
    for prefix, time in ((3, packet.pts), (1, packet.dts)):
        assert content.count(clock(prefix, time)) == 1
        content = content.replace(clock(prefix, time), clock(prefix, time + off * 90_000))
    path.write_bytes(content)
    video = Video(path, sampling)
    frames = list(video.frames())
    assert [frame.number for frame in frames] == list(range(0, 50, 5))
    assert [frame.seconds for frame in frames] == pytest.approx([f.number / 25 for f in frames])
    assert not video.notes


@pytest.mark.parametrize("ending", ["mkv", "avi"])
def test_a_video_that_ends_too_early_gives_what_is_there(tmp_path: Path, ending: str) -> None:
    whole = write(tmp_path / f"whole.{ending}", range(50))
    (tmp_path / f"cut.{ending}").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    video = Video(tmp_path / f"cut.{ending}", Sampling(every=1))
    assert 5 < len(list(video.frames())) < 45
    [note] = video.notes
    assert note.startswith(f"cut.{ending} ends after ")
    assert " of the 5.0 seconds that its header states" in note
    video = Video(whole, Sampling(every=1))
    assert len(list(video.frames())) == 50
    assert not video.notes


def test_sound_may_be_longer_than_the_pictures(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        pictures, sound = container.add_stream("mpeg4", rate=10), container.add_stream("pcm_s16le")
        pictures.height, pictures.width = SIZE
        sound.rate = 8000
        container.mux(pictures.encode(av.VideoFrame.from_ndarray(picture(20), format="rgb24")))
        container.mux(pictures.encode())
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), np.int16), format="s16", layout="mono"
        )
        silence.sample_rate = 8000
        for second in range(5):
            silence.pts = 8000 * second
            container.mux(sound.encode(silence))
        container.mux(sound.encode())
    video = Video(tmp_path / "sound.mkv")
    assert video.seconds == pytest.approx(5, abs=0.1)
    assert len(list(video.frames())) == 1
    assert not video.notes


def damaged(path: Path, packets: Sequence[int]) -> Path:
    """A video of thirty frames, each whole in itself, with zeros in place of some packets."""
    images = [av.VideoFrame.from_ndarray(picture(20 + 4 * at), format="rgb24") for at in range(30)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuvj420p"
        for image in images:
            container.mux(stream.encode(image))
        container.mux(stream.encode())
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        spans = [(packet.pos, packet.size) for packet in container.demux() if packet.size]
    for start, size in (spans[at] for at in packets):
        content[start : start + size] = bytes(size)
    path.write_bytes(content)
    return path


def test_damaged_packets_are_left_out_and_the_rest_is_taken(tmp_path: Path) -> None:
    video = Video(damaged(tmp_path / "hole.mov", [10, 11]), Sampling(every=1))
    frames = list(video.frames())
    assert [frame.number for frame in frames] == [*range(10), *range(12, 30)]
    assert [frame.seconds for frame in frames] == pytest.approx([f.number / 10 for f in frames])
    assert int(frames[10].photo.pixels[50, 80, 0]) == pytest.approx(20 + 4 * 12, abs=6)
    [note] = video.notes
    assert note.startswith("hole.mov is damaged after frame 9 (Invalid data")
    assert note.endswith("2 packets cannot be decoded, and the rest is used.")
    some = Video(tmp_path / "hole.mov", Sampling(every=10)).frames()
    assert [frame.number for frame in some] == [0, 12, 20]
    late = list(Video(damaged(tmp_path / "late.mov", [0, 1]), Sampling(fps=10)).frames())
    assert late[0].number == 2
    assert late[0].seconds == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [
        ((1, 0, 0, 1), (10, 10)),
        ((0, 1, -1, 0), (10, -10)),
        ((-1, 0, 0, -1), (-10, -10)),
        ((0, -1, 1, 0), (-10, 10)),
        ((-1, 0, 0, 1), (10, -10)),
        ((1, 0, 0, -1), (-10, 10)),
        ((0, 1, 1, 0), (10, 10)),
        ((0, -1, -1, 0), (-10, -10)),
    ],
)
def test_turned_and_mirrored_videos_come_upright(
    tmp_path: Path, matrix: tuple[int, int, int, int], corner: tuple[int, int]
) -> None:
    """Where the white corner at the top left comes to by a matrix."""
    path = write(tmp_path / "turned.mp4", range(3))
    content = bytearray(path.read_bytes())
    # The matrix of the track's header: 16.16 numbers.
    a, b, c, d = (part << 16 for part in matrix)
    start = content.index(b"tkhd") + 4 + 40
    turned = [a, b, 0, c, d, 0, 0, 0, 1 << 30]
    content[start : start + 36] = b"".join(part.to_bytes(4, "big", signed=True) for part in turned)
    path.write_bytes(content)
    [upright, *_] = Video(path, Sampling(every=1)).frames()
    assert upright.photo.pixels.shape[:2] == ((64, 96) if a else (96, 64))
    assert (upright.photo.height, upright.photo.width) == upright.photo.pixels.shape[:2]
    bright = [
        (y, x) for y in (10, -10) for x in (10, -10) if upright.photo.pixels[y, x].mean() > 150
    ]
    assert bright == [corner]


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ("4/3", (128, 64)),  # AVCHD and HDV: 1440 × 1080 stands for 1920 × 1080
        ("8/9", (96, 72)),  # NTSC's DV
        ("1/1", (96, 64)),
        ("100/1", (96, 64)),  # broken
    ],
)
def test_pixels_that_are_not_square_are_made_so(
    tmp_path: Path, shape: str, size: tuple[int, int]
) -> None:
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(shape)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(9), format="rgb24")))
        container.mux(stream.encode())
    [frame] = Video(path, Sampling(every=1)).frames()
    assert (frame.photo.width, frame.photo.height) == size
    assert frame.photo.pixels.shape == (size[1], size[0], 3)


# Codes of black, a shade of 26 nits, paper (203) and light (1,000); ITU-R BT.2100 and BT.2408.
HDR = {16: (0.0, 0.38, 0.58, 0.75), 18: (0.0, 0.38, 0.75, 1.0)}


def write_hdr(path: Path, transfer: int) -> Path:
    """A frame of four upright bars of grey in 10 bits."""
    codes = np.repeat(np.round(np.array(HDR[transfer]) * 65535), 24).astype(np.uint16)
    bars = np.ascontiguousarray(np.broadcast_to(codes[None, :, None], (*SIZE, 3)))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv444p10le"
        stream.codec_context.color_trc = transfer
        stream.codec_context.color_primaries = 9
        container.mux(stream.encode(av.VideoFrame.from_ndarray(bars, format="rgb48le")))
        container.mux(stream.encode())
    return path


def bars_of(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    [frame] = Video(path, Sampling(every=1)).frames()
    return frame.photo.pixels[32, 12::24]


@pytest.mark.parametrize("transfer", HDR)
def test_hdr_keeps_grey_grey_and_paper_bright(tmp_path: Path, transfer: int) -> None:
    black, shade, paper, light = bars_of(write_hdr(tmp_path / "hdr.mkv", transfer))
    assert black.max() <= 1
    assert np.ptp(shade) <= 3
    assert 60 < shade[0] < 160
    assert 225 <= paper[0] <= 255
    assert light[0] == 255


def test_the_same_light_has_the_same_colour_in_either_hdr(tmp_path: Path) -> None:
    first, second = (bars_of(write_hdr(tmp_path / f"{code}.mkv", code)).astype(int) for code in HDR)
    assert np.abs(first - second).max() <= 4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.mp4", b"these are words", "is not a video that can be read"),
        ("empty.mp4", b"", "is not a video that can be read"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", "read|holds no pictures"),
    ],
)
def test_other_files_are_refused_in_a_sentence(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match=message):
        list(Video(tmp_path / name).frames())


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 4096), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match="holds no pictures"):
        Video(tmp_path / "sound.mp4")


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.mp4", range(5)).read_bytes()
    start, end = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    damaged = whole[:start] + b"\0" * (end - start) + whole[end:]
    (tmp_path / "none.mp4").write_bytes(damaged)
    with pytest.raises(VideoError, match=r"none\.mp4 has no frame that can be read"):
        list(Video(tmp_path / "none.mp4", Sampling(every=1)).frames())


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_video(tmp_path / "out.mp4", (picture(shade) for shade in (40, 80, 120)), 5)
    frames = list(Video(tmp_path / "out.mp4", Sampling(every=1)).frames())
    assert [int(f.photo.pixels[50, 80, 0]) for f in frames] == pytest.approx([40, 80, 120], abs=8)
    assert is_video(tmp_path / "out.MP4")
    with pytest.raises(FileNotFoundError):
        write_video(tmp_path / "nowhere" / "out.mp4", [picture(1)], 5)


def test_a_full_disk_is_told_of_the_file_that_was_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    noise = [np.random.default_rng(0).integers(0, 255, (128, 160, 3), np.uint8)] * 5
    with files_up_to(100), pytest.raises(PlaceSearchError) as told, telling_unwritable(out):
        write_video(tmp_path / "out.mp4.part", noise, 5)
    said = f"{out} is on a full disk; free some space, then run the same command again."
    assert str(told.value) == said


@pytest.mark.parametrize("fps", [1.5, 29.97 / 7])
def test_a_video_of_any_rate_lasts_as_long_as_it_should(tmp_path: Path, fps: float) -> None:
    out = tmp_path / "out.mp4"
    write_video(out, (picture(shade) for shade in range(40, 100)), fps)
    assert [*Video(out, Sampling(every=1)).frames()][-1].seconds == pytest.approx(59 / fps, abs=0.1)


@pytest.mark.parametrize(
    ("ending", "muxer", "codec"),
    [
        ("m2ts", "mpegts", "mpeg2video"),
        ("MTS", "mpegts", "mpeg2video"),
        ("vob", "vob", "mpeg2video"),
        ("mxf", "mxf", "mpeg2video"),
        ("flv", "flv", "flv"),
        ("3g2", "3g2", "mpeg4"),
        ("f4v", "mp4", "mpeg4"),
        ("asf", "asf", "wmv2"),
    ],
)
def test_kinds_that_cameras_write_are_known_and_read(
    tmp_path: Path, ending: str, muxer: str, codec: str
) -> None:
    path = tmp_path / f"clip.{ending}"
    with av.open(str(path), "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        for shade in range(30, 80):
            frame = av.VideoFrame.from_ndarray(picture(shade), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert is_video(path)
    video = Video(path, Sampling(every=10))
    assert [frame.number for frame in video.frames()] == [0, 10, 20, 30, 40]
    assert not video.notes
