"""Decoding: every orientation, mode and breakage gives the defined answer."""

import contextlib
import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ExifTags, Image

from place_search.core.geodesy import Position
from place_search.photos import (
    OversizedPhotoError,
    PhotoError,
    UnreadablePhotoError,
    UnsupportedPhotoError,
    decode_photo,
    encode_jpeg,
    fit_within,
    read_position,
)
from place_search.photos.opencv import cv2
from place_search.photos.panorama import inspect_panorama
from tests.search.photos import encoded

ORIENTATION, GPS = 0x0112, 0x8825


def picture(width: int = 96, height: int = 64) -> Image.Image:
    """A picture without symmetry: red grows to the right, green downwards, a blue corner."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // width, y * 255 // height, np.zeros_like(x)], 2).astype(np.uint8)
    pixels[:16, :16, 2] = 255
    return Image.fromarray(pixels)


def difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


def gps_exif(latitude: Any, longitude: Any, north: Any = "N", east: Any = "E") -> Image.Exif:
    exif = Image.Exif()
    exif[GPS] = {1: north, 2: latitude, 3: east, 4: longitude}
    return exif


def cut_exif() -> bytes:
    """A photo with Exif that Pillow warns of."""
    exif = gps_exif((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)).tobytes()
    return encoded(picture(), "JPEG", exif=exif[:60])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_gives_the_same_upright_photo(orientation: int, kind: str) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that Exif would undo
    upright = picture()
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 95},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 95},
    }
    photo = decode_photo(encoded(stored, kind, exif=exif, **options.get(kind, {})))
    assert (photo.width, photo.height) == upright.size
    assert difference(photo.pixels, np.asarray(upright)) < 3


def test_path_and_bytes_agree(tmp_path: Path) -> None:
    path = tmp_path / "a photo ü.jpg"
    path.write_bytes(encoded(picture(), "JPEG"))
    from_path, from_bytes = decode_photo(path), decode_photo(path.read_bytes())
    np.testing.assert_array_equal(from_path.pixels, from_bytes.pixels)


def test_a_large_jpeg_is_decoded_at_a_smaller_scale_but_never_below_the_need() -> None:
    data = encoded(picture(2400, 1600), "JPEG", quality=90)
    photo = decode_photo(data, target_size=lambda width, height: (width // 5, height // 5))
    assert (photo.width, photo.height) == (2400, 1600)
    assert photo.pixels.shape == (400, 600, 3)
    full = np.asarray(picture(2400, 1600).resize((600, 400), Image.Resampling.BOX))
    assert difference(photo.pixels, full) < 3


def test_scaled_decoding_asks_for_the_upright_size() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    upright_sizes: list[tuple[int, int]] = []

    def target_size(width: int, height: int) -> tuple[int, int]:
        upright_sizes.append((width, height))
        return (160, 240)

    photo = decode_photo(encoded(picture(1920, 1280), "JPEG", exif=exif), target_size=target_size)
    assert upright_sizes == [(1280, 1920)]
    assert photo.pixels.shape == (240, 160, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "PA", "1", "CMYK", "YCbCr", "RGBA", "I;16", "F"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    grey = picture().convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey, dtype=np.uint16) * 257)
    elif mode == "PA":
        image = picture().convert("RGBA").quantize(64)
    else:
        image = (grey if mode in ("L", "LA", "1", "F") else picture()).convert(mode)
    kind = {"CMYK": "JPEG", "YCbCr": "JPEG", "F": "TIFF"}.get(mode, "PNG")
    photo = decode_photo(encoded(image, kind))
    assert photo.pixels.shape == (64, 96, 3)
    assert photo.pixels.dtype == np.uint8
    expected = grey if mode in ("L", "LA", "I;16", "F") else None
    if expected is not None:
        assert difference(photo.pixels, np.asarray(expected.convert("RGB"))) < 1
    elif mode != "1":
        assert difference(photo.pixels, np.asarray(picture())) < 12


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    assert decode_photo(encoded(clear)).pixels.min() == 255


def test_an_animation_gives_its_first_frame_and_a_note() -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    photo = decode_photo(data)
    assert photo.pixels[20, 20].tolist() == [255, 0, 0]
    assert "several frames" in photo.notes[0]


def test_heif_and_avif_are_read() -> None:
    for kind in ("HEIF", "AVIF"):
        photo = decode_photo(encoded(picture(), kind, quality=95))
        assert difference(photo.pixels, np.asarray(picture())) < 12, kind
        assert photo.notes == ()


def test_heif_of_several_photos_gives_its_main_one() -> None:
    options = {"save_all": True, "append_images": [picture()], "primary_index": 1}
    content = encoded(Image.new("RGB", (64, 48), "red"), "HEIF", quality=95, **options)
    photo = decode_photo(content, max_pixels=96 * 64)
    assert (photo.width, photo.height) == (96, 64)
    assert photo.pixels.shape == (64, 96, 3)
    assert difference(photo.pixels, np.asarray(picture())) < 12


def test_gps_position_with_its_hemispheres() -> None:
    exif = gps_exif((33.0, 51.0, 36.0), (151.0, 12.0, 54.0), "S", "E")
    position = decode_photo(encoded(picture(), "JPEG", exif=exif)).position
    assert position == pytest.approx(Position(-33.86, 151.215))


@pytest.mark.parametrize(
    ("latitude", "longitude", "note"),
    [
        ((95.0, 0.0, 0.0), (10.0, 0.0, 0.0), "out of range"),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), "is 0, 0, which is none"),
    ],
)
def test_a_senseless_position_is_a_note(latitude: Any, longitude: Any, note: str) -> None:
    photo = decode_photo(encoded(picture(), "JPEG", exif=gps_exif(latitude, longitude)))
    assert photo.position is None
    assert note in photo.notes[0]


def test_a_position_that_is_cut_off_is_a_note() -> None:
    """Wherever it is cut: a photo whose Exif names a position has one, or a note on its loss."""
    exif = gps_exif((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)).tobytes()
    whole = decode_photo(encoded(picture(), "JPEG", exif=exif)).position
    for cut in range(20, len(exif)):
        photo = decode_photo(encoded(picture(), "JPEG", exif=exif[:cut]))
        assert photo.notes or photo.position == whole, cut
    no_position = Image.Exif()
    no_position[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSDateStamp: "2026:01:01"}
    assert decode_photo(encoded(picture(), "JPEG", exif=no_position)).notes == ()


def test_broken_exif_is_a_note_not_an_error() -> None:
    whole = encoded(picture(), "JPEG", exif=gps_exif((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    start = whole.index(b"Exif\0\0") + 6
    for damage in range(8, 60):
        data = bytearray(whole)
        data[start + damage] ^= 0xFF
        photo = decode_photo(bytes(data))
        assert photo.pixels.shape[2] == 3


def test_photos_in_threads_leave_warnings_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(cut_exif())
    (tmp_path / "whole.jpg").write_bytes(encoded(picture(), "JPEG"))
    before = list(warnings.filters)

    def read(number: int) -> None:
        path = tmp_path / ("cut.jpg" if number % 2 else "whole.jpg")
        decode_photo(path)
        read_position(path)
        inspect_panorama(path)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(read, range(400)))
    assert warnings.filters == before


@pytest.mark.filterwarnings("error")
def test_warnings_made_errors_are_none_of_a_photo() -> None:
    assert decode_photo(cut_exif()).notes
    values = np.array([[-3e38, 1e-3], [0, 1e-3]], np.float32)
    assert decode_photo(encoded(Image.fromarray(values), "TIFF")).pixels.max() == 255
    large = encoded(Image.new("L", (10000, 9000)), "JPEG")
    assert decode_photo(large, target_size=lambda width, height: (640, 480)).width == 10000
    with pytest.raises(OversizedPhotoError):
        decode_photo(encoded(Image.new("1", (10000, 9000)), "PNG"))


def test_text_is_not_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "fake.jpg"
    path.write_text("hello")
    for source in (path, b"hello", b""):
        with pytest.raises(UnsupportedPhotoError, match="not a photo in a supported format"):
            decode_photo(source)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF"])
def test_a_part_of_a_photo_is_no_other_format(kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    for length in (24, 100, len(data) // 2):
        with pytest.raises(UnreadablePhotoError, match="is truncated or corrupt"):
            decode_photo(data[:length])
    with pytest.raises(UnsupportedPhotoError):
        decode_photo(data[: len(data) // 2], formats=("TIFF",))


def test_the_pixel_limit_is_judged_by_the_header() -> None:
    data = encoded(Image.new("1", (3000, 2000)))
    with pytest.raises(
        OversizedPhotoError, match="3000 × 2000 pixels, over the limit of 5,999,999"
    ):
        decode_photo(data, max_pixels=5_999_999)
    bomb = b"GIF89a" + b"\xff" * 4 + bytes(3) + b"," + bytes(4) + b"\xff" * 4 + b"\x00\x08"
    with pytest.raises(OversizedPhotoError):
        decode_photo(bomb)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePhotoError, match="does not exist"):
        decode_photo(tmp_path / "gone.jpg")
    with pytest.raises(UnreadablePhotoError, match="is a folder"):
        decode_photo(tmp_path)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]), st.data())
def test_damaged_photos_raise_photo_errors_only(kind: str, data: st.DataObject) -> None:
    whole = bytearray(encoded(picture(), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(PhotoError):  # anything else is a failure
        photo = decode_photo(bytes(whole[: len(whole) - cut // 8]), max_pixels=1_000_000)
        assert photo.pixels.ndim == 3


def test_encoded_jpeg_fits_and_is_bare() -> None:
    data = encode_jpeg(np.asarray(picture(960, 640)), fit_within(960, 640, 320))
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (320, 213)
        assert not image.getexif()


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_grey_of_fewer_bits_in_a_larger_container_is_as_bright(bits: int) -> None:
    grey = np.asarray(picture().convert("L")).astype(np.float64)
    grey *= 255 / grey.max()
    stored = np.round(grey / 255 * (2**bits - 1))
    png = encoded(Image.fromarray(stored.astype(np.uint16)))
    tiff = encoded(Image.fromarray(stored.astype(np.float32)), "TIFF")
    for content in (png, tiff):
        assert difference(decode_photo(content).pixels[..., 0], grey.astype(np.uint8)) < 1


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_rgb_of_fewer_bits_in_a_larger_container_is_as_bright(bits: int) -> None:
    rgb = np.asarray(picture()).astype(np.float64)
    rgb *= 255 / rgb.max()
    stored = np.round(rgb / 255 * (2**bits - 1)).astype(np.uint16)
    raw, deflated = (
        cv2.imencode(".tif", stored[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, code])[1].tobytes()
        for code in (1, 8)
    )
    for content in (png_of_16_bits(stored), raw, deflated):
        assert difference(decode_photo(content).pixels, rgb.astype(np.uint8)) < 1


@pytest.mark.parametrize(("bits", "alpha_bits"), [(10, 16), (12, 12), (14, 16), (16, 16)])
def test_rgba_of_fewer_bits_in_a_larger_container_lies_on_white(bits: int, alpha_bits: int) -> None:
    rgb = np.asarray(picture()).astype(np.float64)
    rgb *= 255 / rgb.max()
    opaque = np.ones(rgb.shape[:2])
    opaque[:, :50] = 0.5
    stored = np.dstack([rgb / 255 * (2**bits - 1), opaque * (2**alpha_bits - 1)])
    stored = np.round(stored).astype(np.uint16)
    expected = np.round(255 - (255 - rgb) * opaque[..., None]).astype(np.uint8)
    tiff = cv2.imencode(".tif", stored[..., [2, 1, 0, 3]])[1].tobytes()
    for content in (png_of_16_bits(stored), tiff):
        assert difference(decode_photo(content).pixels, expected) < 1


@pytest.mark.parametrize(("bits", "alpha_bits"), [(10, 16), (12, 12), (14, 16), (16, 16)])
def test_grey_with_alpha_of_fewer_bits_is_as_bright(bits: int, alpha_bits: int) -> None:
    grey = np.asarray(picture().convert("L")).astype(np.float64)
    grey *= 255 / grey.max()
    opaque = np.ones(grey.shape)
    opaque[:, :50] = 0.5
    stored = np.dstack([grey / 255 * (2**bits - 1), opaque * (2**alpha_bits - 1)])
    content = png_of_16_bits(np.round(stored).astype(np.uint16))
    expected = np.round(255 - (255 - grey) * opaque).astype(np.uint8)
    assert difference(decode_photo(content).pixels, np.dstack([expected] * 3)) < 1


def png_of_16_bits(pixels: NDArray[np.uint16]) -> bytes:
    """A PNG of (h, w, 2) grey with alpha, 3 RGB or 4 RGBA values, which Pillow cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize("white", [1.0, 3.0])
def test_float_images_of_other_ranges(white: float) -> None:
    grey = np.asarray(picture().convert("L")).astype(np.float32)
    grey *= white / grey.max()
    pixels = decode_photo(encoded(Image.fromarray(grey), "TIFF")).pixels
    assert pixels.max() == 255


@pytest.mark.slow
def test_a_large_jpeg_counts_the_pixels_that_are_decoded() -> None:
    data = encoded(picture(4000, 3000), "JPEG")
    small = decode_photo(data, target_size=lambda width, height: (640, 480), max_pixels=2_000_000)
    assert (small.width, small.height) == (4000, 3000)
    with pytest.raises(OversizedPhotoError, match="over the limit of 2,000,000"):
        decode_photo(data, max_pixels=2_000_000)
    with pytest.raises(OversizedPhotoError, match="over the limit of 8,000,000"):
        decode_photo(data, target_size=lambda width, height: (64, 48), max_pixels=1_000_000)
    progressive = encoded(picture(4000, 3000), "JPEG", progressive=True)
    with pytest.raises(OversizedPhotoError, match="4000 × 3000"):
        decode_photo(
            progressive, target_size=lambda width, height: (640, 480), max_pixels=2_000_000
        )


def test_a_jpeg_beyond_pillows_own_limit() -> None:
    data = encoded(Image.new("L", (16000, 12000)), "JPEG")
    photo = decode_photo(data, target_size=lambda width, height: (640, 480))
    assert (photo.width, photo.height) == (16000, 12000)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "AVIF", "HEIF", "BMP", "PPM"])
def test_the_limit_of_the_user_counts_not_that_of_pillow(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow's readers of WebP and TIFF ask for its own limit once more."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    data = encoded(picture(64, 48), kind)
    assert decode_photo(data).pixels.shape == (48, 64, 3)
    with pytest.raises(OversizedPhotoError, match="64 × 48 pixels, over the limit of 3,000"):
        decode_photo(data, max_pixels=3000)


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("progressive", [True, False])
def test_a_jpeg_that_lacks_its_end_marker_only(missing: int, progressive: bool) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG", progressive=progressive)
    assert np.array_equal(decode_photo(data[:-missing]).pixels, decode_photo(data).pixels)
    with pytest.raises(UnreadablePhotoError, match="truncated"):
        decode_photo(data[:-100])
