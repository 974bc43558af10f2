"""Decoding in processes: a photo gets one answer, whatever the decoder did before."""

import contextlib
import io
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from PIL import Image

from place_search.core.errors import PlaceSearchError
from place_search.photos import (
    DecodeLimits,
    Decoder,
    OversizedPhotoError,
    PhotoError,
    Preprocessing,
    UnreadablePhotoError,
    decode_photo,
)
from place_search.photos.sandbox.decoder import DecoderBusyError
from place_search.photos.sandbox.process import RENEW_JOBS
from tests.waiting import SECONDS, wait_until

AREA = Preprocessing("area")
MIB = 1 << 20
QUICK = {"enc_params": {"preset": "ultrafast"}}
"""Options to write HEIF in a quarter of the time."""


def encoded(size: tuple[int, int], kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    Image.fromarray(noise).resize(size).save(out, kind, **options)
    return out.getvalue()


def plain(size: tuple[int, int], kind: str, **options: object) -> bytes:
    """A large photo of one colour: it takes the same memory, and is written in half of the time."""
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind, **options)
    return out.getvalue()


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    decoder = Decoder(workers=1, limits=DecodeLimits(seconds=SECONDS))
    yield decoder
    decoder.close()


def forks(decoder: Decoder) -> list[psutil.Process]:
    """The processes that decode."""
    return list(psutil.Process(decoder._processes._process.pid).children())


def resident(decoder: Decoder) -> int:
    """Bytes that all of them hold."""
    total = 0
    for process in forks(decoder):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"progressive": True, "subsampling": 0}),
        ("PNG", {"compress_level": 1}),
        ("WEBP", {"method": 0}),
        ("AVIF", {"speed": 10}),
        ("HEIF", {"quality": 20, **QUICK}),
    ],
)
def test_out_of_memory_is_never_called_corrupt(kind: str, options: dict[str, object]) -> None:
    decoder = Decoder(workers=1, limits=DecodeLimits(memory_bytes=48 * MIB, seconds=SECONDS))
    try:
        content = plain((5000, 4400), kind, **options)
        for _ in range(2):
            with pytest.raises(OversizedPhotoError, match="more memory"):
                decoder.photo(content, AREA)
        assert decoder.photo(encoded((800, 600), kind), AREA).width == 800
        assert decoder.deaths == 0, "a limit is no death"
    finally:
        decoder.close()


@pytest.mark.slow
def test_what_was_refused_before_changes_no_answer(decoder: Decoder) -> None:
    """Odd photos leave memory behind in libraries: good large ones are decoded all the same."""
    good = [
        plain((8000, 6000), "HEIF", quality=10, **QUICK),
        plain((4000, 3000), "WEBP", method=0),
        plain((4000, 3000), "AVIF", speed=10),
    ]
    rng = np.random.default_rng(1)
    for kind in ("HEIF", "AVIF", "WEBP", "PNG", "JPEG"):
        content = encoded((400, 300), kind)
        for _ in range(60):
            damaged = bytearray(content)
            for at in rng.integers(0, len(damaged), 4):
                damaged[at] = rng.integers(256)
            with contextlib.suppress(PhotoError):
                decoder.photo(bytes(damaged), AREA)
    for each in good:
        assert decoder.photo(each, AREA).width >= 4000
    assert decoder.deaths == 0


def test_a_decoder_is_renewed_by_count(decoder: Decoder) -> None:
    content = encoded((80, 60), "PNG")
    decoder.photo(content, AREA)
    (first,) = forks(decoder)
    decoder.photo(content, AREA)
    assert forks(decoder) == [first]
    for _ in range(RENEW_JOBS - 2):
        decoder.photo(content, AREA)
    assert first.wait(SECONDS) is None or not first.is_running()
    decoder.photo(content, AREA)
    assert forks(decoder) != [first]


def test_a_decoder_is_renewed_by_growth(decoder: Decoder) -> None:
    large = plain((7000, 7000), "PNG", compress_level=1)
    decoder.photo(encoded((80, 60), "PNG"), AREA)
    (first,) = forks(decoder)
    assert decoder.photo(large, AREA).width == 7000
    decoder.photo(encoded((80, 60), "PNG"), AREA)
    assert not first.is_running()


def test_our_own_errors_pass_through_decoding() -> None:
    class OwnError(PlaceSearchError):
        pass

    def refuse(_width: int, _height: int) -> None:
        raise OwnError("not now")

    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF"):
        with pytest.raises(OwnError):
            decode_photo(encoded((80, 60), kind), before_pixels=refuse)


@pytest.mark.parametrize("stage", ["getexif", "load"])
def test_out_of_memory_passes_through_reading_exif(
    monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def fail(_image: Image.Image) -> None:
        raise MemoryError

    content = encoded((80, 60), "JPEG")
    monkeypatch.setattr(f"PIL.Image.Image.{stage}", fail)
    monkeypatch.setattr(f"PIL.ImageFile.ImageFile.{stage}", fail)
    with pytest.raises(OversizedPhotoError, match="more memory"):
        decode_photo(content)


def test_a_large_photo_that_finds_no_turn_is_told_to_come_again() -> None:
    decoder = Decoder(workers=2, limits=DecodeLimits(seconds=60))
    large = encoded((5500, 5500), "PNG", compress_level=1)
    try:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(decoder.photo, large, AREA)
            holder = _wait_for_turn(decoder)
            os.kill(holder, signal.SIGSTOP)
            try:
                with pytest.raises(DecoderBusyError):
                    decoder.photo(large, AREA)
            finally:
                os.kill(holder, signal.SIGCONT)
            assert first.result(SECONDS).width == 5500
    finally:
        decoder.close()


def _wait_for_turn(decoder: Decoder) -> int:
    """The process that has the turn of large photos."""
    slots = decoder._processes.slots
    return wait_until(
        lambda: next((slot.state["pid"] for slot in slots if slot.state["large"]), 0),
        "no process has the turn",
    )


def test_bytes_are_bounded_as_pixels_are() -> None:
    """A JPEG of millions of empty segments has few pixels and takes hundreds of megabytes."""
    small = encoded((80, 60), "JPEG")
    padded = small[:2] + b"\xff\xe1\x00\x02" * (5 << 20) + small[2:]
    limits = DecodeLimits(memory_bytes=300 * MIB, seconds=60)
    decoder = Decoder(workers=3, limits=limits)
    decoder.photo(small, AREA)
    base = psutil.Process(decoder._processes._process.pid).memory_info().rss
    finished = threading.Event()
    peaks = [0]

    def watch() -> None:
        while not finished.wait(0.005):
            peaks.append(resident(decoder))

    def ask(_number: int) -> bool:
        try:
            decoder.photo(padded, AREA)
        except (DecoderBusyError, OversizedPhotoError, UnreadablePhotoError):
            return False
        return True

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(ask, range(3)))
    finally:
        finished.set()
        watcher.join()
        decoder.close()
    # One has the turn; the others have read nothing yet.
    assert max(peaks) < 3 * base + limits.memory_bytes + 60 * MIB


@pytest.mark.parametrize("damage", range(40))
def test_a_png_that_pillow_cannot_read_whole_is_refused(damage: int) -> None:
    """Whatever is damaged, and whether there is Exif before the pixels, behind them or nowhere."""
    rng = np.random.default_rng(damage)
    exif = Image.Exif()
    exif[0x010F] = "maker"
    content = bytearray(encoded((90, 70), "PNG", **({"exif": exif} if damage % 2 else {})))
    for at in rng.integers(8, len(content), 1 + damage % 3):
        content[at] ^= int(rng.integers(1, 256))
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except Exception:
        with pytest.raises(PhotoError):
            decode_photo(bytes(content))
    else:
        assert decode_photo(bytes(content)).pixels.shape[2] == 3
