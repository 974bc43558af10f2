"""Decoding in processes: the same pixels, and a death costs one photo."""

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from PIL import Image

from place_search.core.geodesy import Position
from place_search.photos import (
    UPLOADS,
    DecodeLimits,
    Decoder,
    OversizedPhotoError,
    Photo,
    Preprocessing,
    UnreadablePhotoError,
    UnsupportedPhotoError,
    decode_photo,
)
from place_search.photos.preprocessing import resize_photo
from place_search.photos.sandbox import decoder as sandbox
from place_search.photos.sandbox.deadline import decoding_until
from place_search.photos.sandbox.decoder import DecoderBusyError
from tests.search.photos import encoded
from tests.waiting import SECONDS, wait_until

AREA = Preprocessing("area")


def photo(width: int = 800, height: int = 600, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3))
    return Image.fromarray(pixels.astype(np.uint8)).resize((width, height))


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder(workers=2, limits=DecodeLimits(cpu_seconds=2.0, seconds=SECONDS))
    yield decoder
    decoder.close()


def forks(decoder: Decoder) -> list[psutil.Process]:
    """The processes that decode."""
    try:
        return list(psutil.Process(decoder._processes._process.pid).children())
    except psutil.NoSuchProcess:
        return []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_the_pixels_are_those_without_a_process(decoder: Decoder, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8825] = {1: "N", 2: (48.0, 0.0, 0.0), 3: "E", 4: (11.5, 0.0, 0.0)}
    content = encoded(photo(), kind, exif=exif)
    expected = decode_photo(content, target_size=AREA.size)
    decoded = decoder.photo(content, AREA)
    np.testing.assert_array_equal(decoded.pixels, resize_photo(expected, AREA))
    assert (decoded.width, decoded.height) == (expected.width, expected.height)
    assert decoded.position == expected.position == Position(48.0, 11.5)
    assert decoded.notes == expected.notes


def test_a_picture_is_bounded_and_bare(decoder: Decoder) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "secret"
    jpeg = decoder.picture(encoded(photo(), "JPEG", exif=exif), longest_side=400)
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.size == (300, 400)
        assert not image.getexif()
    assert b"secret" not in jpeg


def test_what_is_wrong_with_a_photo_is_said_as_without_a_process(decoder: Decoder) -> None:
    with pytest.raises(UnsupportedPhotoError, match="not a photo in a supported format"):
        decoder.photo(b"hello", AREA)
    with pytest.raises(UnsupportedPhotoError):
        decoder.photo(encoded(photo(), "GIF"), AREA, formats=UPLOADS)
    with pytest.raises(UnreadablePhotoError, match="truncated"):
        decoder.photo(encoded(photo(), "JPEG")[:9000], AREA)
    with pytest.raises(OversizedPhotoError, match="8000 × 7000 pixels"):
        decoder.photo(encoded(Image.new("1", (8000, 7000)), "PNG"), AREA)


def test_a_death_costs_one_photo(decoder: Decoder) -> None:
    content = encoded(photo(), "JPEG")
    slow = encoded(Image.new("RGBA", (5500, 5500), (1, 2, 3, 4)), "PNG")
    for _ in range(3):
        deaths = decoder.deaths
        with ThreadPoolExecutor(2) as pool:
            doomed = pool.submit(decoder.photo, slow, AREA)
            spared = pool.submit(lambda: [decoder.photo(content, AREA) for _ in range(20)])
            busiest = _wait_for_work(decoder)
            os.kill(busiest.pid, signal.SIGKILL)
            with pytest.raises(UnreadablePhotoError, match="stopped the decoder"):
                doomed.result(SECONDS)
            assert len(spared.result(SECONDS)) == 20
        assert decoder.deaths == deaths + 1
    assert decoder.photo(content, AREA).pixels.shape[2] == 3


def _wait_for_work(decoder: Decoder) -> psutil.Process:
    """The decoder that holds the largest photo."""
    [process, *_] = wait_until(
        lambda: [each for each in forks(decoder) if each.memory_info().rss > 140 << 20],
        "no decoder is at work",
    )
    return process


def test_a_decoder_that_dies_idle_costs_nothing(decoder: Decoder) -> None:
    content = encoded(photo(), "JPEG")
    decoder.photo(content, AREA)
    deaths = decoder.deaths
    idle = forks(decoder)
    for process in idle:
        process.kill()
    assert psutil.wait_procs(idle, timeout=SECONDS)[1] == [], "they are not reaped"
    decoder.photo(content, AREA)
    assert decoder.deaths == deaths


def test_when_all_processes_die_they_are_started_again() -> None:
    decoder = Decoder(workers=1)
    content = encoded(photo(), "JPEG")
    decoder.photo(content, AREA)
    started = time.monotonic()
    for _ in range(2):
        os.killpg(decoder._processes._process.pid, signal.SIGKILL)
        decoder.photo(content, AREA)
    assert time.monotonic() - started > 1, "restarts are spaced, however often they are needed"
    decoder.close()


@pytest.mark.slow
def test_stuck_decoders_are_busy_and_started_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sandbox, "PATIENCE_SECONDS", 0.1)
    decoder = Decoder(workers=2, limits=DecodeLimits(seconds=0.5))
    content = encoded(photo(), "JPEG")

    def decode() -> Photo | None:
        try:
            return decoder.photo(content, AREA)
        except DecoderBusyError:
            return None

    os.killpg(decoder._processes._process.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as pool:
        assert [job.result(SECONDS) for job in [pool.submit(decode), pool.submit(decode)]] == [
            None,
            None,
        ]
    assert "did not answer in time" in caplog.text
    wait_until(decode, "the decoders are not started again")
    decoder.close()


def test_a_photo_out_of_time_is_refused() -> None:
    decoder = Decoder(workers=1, limits=DecodeLimits(cpu_seconds=0.06))
    with pytest.raises(UnreadablePhotoError, match="s of computing"):
        decoder.photo(encoded(photo(4000, 3000), "PNG", compress_level=1), AREA)
    assert decoder.photo(encoded(photo(64, 48), "JPEG"), AREA).width == 64
    decoder.close()


def test_a_photo_out_of_memory_is_refused() -> None:
    decoder = Decoder(workers=1, limits=DecodeLimits(memory_bytes=100 << 20))
    with pytest.raises(OversizedPhotoError, match="more memory"):
        decoder.photo(encoded(Image.new("RGB", (7000, 7000)), "PNG"), AREA)
    assert decoder.photo(encoded(photo(), "JPEG"), AREA).width == 800
    decoder.close()


def test_large_photos_take_turns(decoder: Decoder) -> None:
    content = encoded(Image.new("RGB", (5000, 5000)), "PNG")
    finished = threading.Event()
    peaks: list[int] = []

    def watch() -> None:
        while not finished.wait(0.01):
            peaks.append(sum(process.memory_info().rss for process in forks(decoder)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: decoder.photo(content, AREA), range(3)))
    finally:
        finished.set()
        watcher.join()
    assert max(peaks) < 400 << 20, "one large photo needs about 220 MiB, and the rest 60 each"


def test_no_process_and_no_file_is_left() -> None:
    before = psutil.Process().num_fds()
    children = psutil.Process().children(recursive=True)
    for _ in range(2):
        decoder = Decoder(workers=2)
        decoder.photo(encoded(photo(), "JPEG"), AREA)
        decoder.close()
        del decoder
    assert psutil.Process().num_fds() == before
    assert not set(psutil.Process().children(recursive=True)) - set(children)


def test_a_deadline_ends_waiting_and_work(decoder: Decoder) -> None:
    """A request's photos are decoded by its deadline or not at all, and the next one is."""
    large = encoded(Image.new("RGBA", (6500, 6500), (9, 99, 9, 99)), "PNG")
    for seconds in (0.1, 0.0):
        began = time.monotonic()
        with decoding_until(began + seconds), pytest.raises(DecoderBusyError):
            decoder.photo(large, AREA)
        assert time.monotonic() - began < 5
    deaths = decoder.deaths
    assert decoder.photo(encoded(photo(), "JPEG"), AREA).width == 800
    assert decoder.deaths == deaths
