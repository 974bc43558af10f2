"""Reading frames of a video, upright and in sRGB, and writing a video of pictures.

PyAV, the extra `video`, decodes and encodes.
"""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.errors import PlaceSearchError, WrongParameterError
from place_search.core.tables import require_number
from place_search.core.text import counted
from place_search.photos.photo import Photo, resize_pixels

_NAMES = "mp4 m4v f4v mov mkv webm avi mpg mpeg vob ts mts m2ts 3gp 3g2 wmv asf flv ogv mxf"
EXTENSIONS = frozenset(f".{name}" for name in _NAMES.split())
FPS = 2.0
"""The default number of frames that are taken a second."""
FPS_BOUNDS = (0.001, 1000.0)
_MISSING = 0.03
"""The share of a video, at least a second, that must be missing at its end for a note."""
_BEGINS_ANEW_S = 1.0
"""The seconds from which on a leap back in time is not one of an uneven clock, but a new clip."""
_MOST_STRETCHED = 4
"""The largest ratio of the sides of a pixel: those of anamorphic formats are up to 2."""
_PQ, _HLG, _BT2020 = 16, 18, 9
"""Codes of the transfer functions of HDR10 and of phones' HDR, and of HDR's primaries."""
_WHITE_NITS, _HLG_NITS, _HLG_GAMMA = 203.0, 1000.0, 1.2
"""The luminance of HDR's white (ITU-R BT.2408), and of the reference display of HLG (BT.2100)."""


class VideoError(PlaceSearchError):
    """A video that cannot be read or written; the text says why."""


class VideoFrame(NamedTuple):
    """A frame: its number and its time in seconds, both from the video's first frame on."""

    number: int
    seconds: float
    photo: Photo


class Sampling(NamedTuple):
    """The sampling of frames: `every` n-th, `fps` a second, or the first frame from each time on.

    `times` are ascending seconds from the first frame on.
    """

    every: int | None = None
    fps: float | None = None
    times: tuple[float, ...] | None = None


def require_sampling(every: int | None, fps: float | None) -> None:
    """Make sure that a sampling is valid. Raises `WrongParameterError`."""
    if every is not None and fps is not None:
        raise WrongParameterError(
            "Give one of fps and every: both say which frames are taken.", "fps", "every"
        )
    if every is not None:
        require_number("every", every, 1, whole=True)
    if fps is not None:
        require_number("fps", fps, *FPS_BOUNDS)


class Video:
    """A video file that is read from its beginning; `notes` are sentences on its faults."""

    def __init__(self, path: Path, sampling: Sampling | None = None) -> None:
        """Read the file's header.

        Raises:
            VideoError: PyAV is not installed, or cannot read the file.
        """
        self.path = path
        self.sampling = sampling or Sampling(fps=FPS)
        self.notes: list[str] = []
        with _open(path) as container:
            stream = _stream(container, path)
            seconds = stream.duration * stream.time_base if stream.duration else None
            if seconds is None and container.duration:
                seconds = container.duration / _av().time_base
            rate = float(stream.average_rate or 0)
            self.recorded = _parse_recorded(container.metadata.get("creation_time", ""))
            """The time of recording by the metadata; None where it is unknown."""
            is_mp4 = "mp4" in container.format.name
        self.seconds = float(seconds or 0)
        """The length in seconds by the header; 0 where it is unknown.

        Of clips that were joined into one file, it is the length of one.
        """
        self.longest = self.seconds if is_mp4 and self.seconds else math.inf
        """The seconds after which there is no frame: kinds other than MP4 may hold more clips."""
        if self.sampling.times is not None:
            frames = float(sum(time <= self.seconds for time in self.sampling.times))
        elif self.sampling.every is not None:
            frames = self.seconds * rate / self.sampling.every
        else:
            frames = self.seconds * min(self.sampling.fps or FPS, rate or math.inf)
        self.expected = max(1, round(float(frames)))
        """The approximate number of frames that are taken, by the length in the header."""

    def frames(self) -> Iterator[VideoFrame]:
        """The sampled frames in their order.

        Damaged frames are left out, with a note; a missing end is noted too. Of clips that were
        joined into one file, each begins where the one before ends.

        Raises:
            VideoError: no frame can be read.
        """
        self.notes.clear()
        times = None if self.sampling.times is None else iter(self.sampling.times)
        next_due = 0.0 if times is None else next(times, math.inf)
        with _open(self.path) as container:
            stream = _stream(container, self.path)
            stream.thread_type = "AUTO"
            for number, seconds, frame in self._timed(container, stream):
                if self.sampling.every is not None:
                    if number < next_due:
                        continue
                    next_due = (number // self.sampling.every + 1) * self.sampling.every
                elif seconds < next_due - 1e-6:
                    continue
                elif times is not None:
                    next_due = next((time for time in times if time > seconds + 1e-6), math.inf)
                else:
                    step = 1 / (self.sampling.fps or FPS)
                    next_due = (math.floor(seconds / step + 1e-6) + 1) * step
                yield VideoFrame(number, seconds, _photo(frame, stream.sample_aspect_ratio))

    def _timed(self, container: Any, stream: Any) -> Iterator[tuple[int, float, Any]]:
        """The number, the seconds since the first frame, and the pixels of each frame."""
        first: float | None = None
        seconds, clips, before = 0.0, 1, math.inf
        rate = float(stream.average_rate or 30)
        decoded = chain(self._decode(container, stream, rate), [(0, -math.inf, None)])
        for (number, stated, frame), (_, after, _) in pairwise(decoded):
            # One time far from those beside it is wrong, and no clip begins there.
            lonely = before < after and not (
                before - _BEGINS_ANEW_S <= stated <= after + _BEGINS_ANEW_S
            )
            time = before = before + 1 / rate if lonely else stated
            first = time - number / rate if first is None else first
            if time - first < seconds - _BEGINS_ANEW_S:
                first, clips = time - seconds - 1 / rate, clips + 1
            seconds = max(time - first, 0.0)
            yield number, seconds, frame
        if clips > 1:
            self.notes.append(
                f"{self.path.name} joins {clips} clips whose times begin anew; each is taken to "
                "begin where the one before ends."
            )
        if first is None:
            raise VideoError(
                f"{self.path} has no frame that can be read; check that it plays, or convert it "
                "to H.264."
            )

    def _decode(self, container: Any, stream: Any, rate: float) -> Iterator[tuple[int, float, Any]]:
        """The number, the time by the file, and the pixels of each frame.

        Packets that cannot be decoded count as frames. A frame without a time has that of its
        number by `rate`, in frames a second.
        """
        number, damaged_packets, damage, end = 0, 0, "", 0.0
        # Packets of sound count too: the sound may be longer.
        packets = container.demux(stream, *container.streams.audio)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                if packet.pts is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                frames = packet.decode() if packet.stream_index == stream.index else ()
            except (_av().FFmpegError, EOFError) as error:
                where = f"after frame {number - 1}" if number else "at its start"
                damage = damage or f"{where} ({_reason(error)})"
                damaged_packets += 1
                number += 1
                continue
            for frame in frames:
                yield number, number / rate if frame.time is None else frame.time, frame
                number += 1
        if damaged_packets:
            self.notes.append(
                f"{self.path.name} is damaged {damage}: {counted(damaged_packets, 'packet')} "
                "cannot be decoded, and the rest is used."
            )
        stated = _stated_seconds(container, stream)
        if end < stated - max(1.0, _MISSING * stated):
            self.notes.append(
                f"{self.path.name} ends after {end:.1f} of the {stated:.1f} seconds that its "
                "header states; copy it again if there is more of it."
            )


def write_video(
    path: Path, pictures: Iterable[NDArray[np.uint8]], fps: float, *, comment: str = ""
) -> None:
    """Write (h, w, 3) uint8 RGB pictures of one size, both sides even, as an MP4 with a comment.

    Raises:
        OSError: the file cannot be written.
    """
    av = _av()
    try:
        with av.open(str(path), "w", format="mp4") as container:
            container.metadata["comment"] = comment
            stream: Any = None
            for picture in pictures:
                if stream is None:
                    stream = _encoder(container, fps, picture)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                container.mux(stream.encode(frame))
            if stream is not None:
                container.mux(stream.encode())
    except av.FFmpegError as error:
        raise OSError(error.errno, _reason(error)) from error


def comment_of(path: Path) -> str:
    """The comment of a file of `write_video`; "" where it has none."""
    av = _av()
    try:
        with av.open(str(path), format="mp4") as container:
            return str(container.metadata.get("comment", ""))
    except av.FFmpegError:
        return ""


def is_video(path: Path) -> bool:
    """Whether a file's name is that of a video."""
    return path.suffix.lower() in EXTENSIONS


def _encoder(container: Any, fps: float, picture: NDArray[np.uint8]) -> Any:
    names = [name for name in ("libx264", "mpeg4") if name in _av().codecs_available]
    stream = container.add_stream(
        names[0] if names else "mpeg4", rate=Fraction(fps).limit_denominator(1001)
    )
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = "yuv420p"
    return stream


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise VideoError(
            "Videos need another package; run: pip install 'place-search[video]'."
        ) from None
    av.logging.set_level(None)  # errors and notes report the same
    return av


def _open(path: Path) -> Any:
    av = _av()
    if not path.is_file():
        raise VideoError(f"{path} is not a file; name a video.")
    try:
        # A list of other files, such as .m3u8, must not lead elsewhere.
        return av.open(str(path), options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f"{path} is not a video that can be read ({_reason(error)}); check that it plays, or "
            "convert it to H.264."
        ) from error


def _stream(container: Any, path: Path) -> Any:
    if not container.streams.video:
        raise VideoError(f"{path} holds no pictures, only other streams; name a video.")
    return container.streams.video[0]


def _stated_seconds(container: Any, stream: Any) -> float:
    """The length of all streams in seconds by the header; 0 where it is unknown."""
    if container.format.name == "avi" and stream.average_rate:
        # FFmpeg's duration of a cut AVI file is that of the remaining part.
        return float(stream.frames / stream.average_rate)
    return float((container.duration or 0) / _av().time_base)


def _parse_recorded(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


def _photo(frame: Any, pixel_shape: Fraction | None) -> Photo:
    """A frame upright, as the camera's metadata says, in sRGB.

    `pixel_shape` is the width of a pixel by its height; the frame is made as wide or high as that
    says, so that its pixels are square. None, 0 and what no camera writes count as square.
    """
    if frame.color_trc in (_PQ, _HLG):
        light = _light(frame.to_ndarray(format="rgb48le"), frame.color_trc)
        pixels = _to_srgb(light, wide=frame.color_primaries == _BT2020)
    else:
        pixels = frame.to_ndarray(format="rgb24")
    if pixel_shape and 1 / _MOST_STRETCHED <= pixel_shape <= _MOST_STRETCHED:
        height, width = pixels.shape[:2]
        size = round(width * max(pixel_shape, 1)), round(height / min(pixel_shape, 1))
        pixels = resize_pixels(pixels, size)
    if _is_mirrored(frame):
        pixels = pixels[::-1]
    # `rotation` is in degrees counter-clockwise.
    turns = round(frame.rotation / 90) % 4
    pixels = np.ascontiguousarray(np.rot90(pixels, turns))
    height, width = pixels.shape[:2]
    return Photo(pixels, width, height)


def _is_mirrored(frame: Any) -> bool:
    """Whether a frame is mirrored, top to bottom, before it is turned."""
    try:
        a, b, _, c, d = np.frombuffer(frame.side_data["DISPLAYMATRIX"], np.int32)[:5].astype(float)
    except (KeyError, ValueError):  # no matrix, or side data unknown to PyAV
        return False
    return bool(a * d < b * c)


def _light(pixels: NDArray[np.uint16], transfer: int) -> NDArray[np.float32]:
    """The light that a display emits for HDR pixels, in units of paper white."""
    table = _PQ_TABLE if transfer == _PQ else _HLG_TABLE
    light: NDArray[np.float32] = table[pixels >> 4]
    if transfer == _HLG:
        luminance = light @ _BT2020_LUMINANCE
        light *= (_HLG_NITS / _WHITE_NITS * luminance ** (_HLG_GAMMA - 1))[..., None]
    return light


def _to_srgb(light: NDArray[np.float32], *, wide: bool) -> NDArray[np.uint8]:
    """Light as sRGB: paper white keeps its brightness, highlights are clipped."""
    if wide:
        light = np.clip(light @ _BT2020_TO_SRGB.T, 0, None)
    mapped = light * (1 + light / 16) / (1 + light)  # Reinhard, white at 4 times paper
    mapped = np.clip(mapped * 1.8, 0, 1)
    curve = np.where(mapped <= 0.0031308, 12.92 * mapped, 1.055 * np.power(mapped, 1 / 2.4) - 0.055)
    return np.asarray(np.round(255 * curve), np.uint8)


def _pq_table() -> NDArray[np.float32]:
    """The light of each of 4,096 codes of PQ, in units of paper white."""
    code = np.linspace(0, 1, 4096) ** (1 / 78.84375)
    light = np.maximum(code - 0.8359375, 0) / (18.8515625 - 18.6875 * code)
    return np.asarray(10_000 * light ** (1 / 0.1593017578125) / _WHITE_NITS, np.float32)


def _hlg_table() -> NDArray[np.float32]:
    """The scene light, 0 to 1, of each of 4,096 codes of HLG (ITU-R BT.2100)."""
    code = np.linspace(0, 1, 4096)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return np.asarray(light, np.float32)


_PQ_TABLE, _HLG_TABLE = _pq_table(), _hlg_table()
_BT2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)
_BT2020_TO_SRGB = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
