"""Resizing: a side that shrinks is averaged, whatever the other side does."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from place_search.photos import Photo, PhotoBox, Preprocessing, decode_photo, encode_jpeg
from place_search.photos.opencv import cv2
from place_search.photos.photo import Size
from place_search.photos.preprocessing import cut_box, resize_photo
from tests.search.photos import encoded

Pixels = NDArray[np.uint8]
GREY = 127.5


def stripes(width: int, height: int, *, upright: bool = True) -> Pixels:
    """Black and white lines of one pixel: grey wherever they are averaged."""
    y, x = np.mgrid[:height, :width]
    lines = ((x if upright else y) % 2 * 255).astype(np.uint8)
    return np.repeat(lines[..., None], 3, axis=2)


def as_photo(pixels: Pixels) -> Photo:
    return Photo(pixels, pixels.shape[1], pixels.shape[0])


def test_photos_of_all_shapes_are_resized_to_few() -> None:
    preprocessing = Preprocessing("area", 640, 480, 32)
    shapes = set()
    for aspect in np.geomspace(1 / 4, 4, 4001):
        width, height = preprocessing.size(round(100_000 * aspect), 100_000)
        assert preprocessing.size(100_000, round(100_000 * aspect)) == (height, width)
        assert 0.9 * 640 * 480 < width * height <= 640 * 480
        assert abs(np.log(width / height / aspect)) < 0.11
        shapes.add((width, height))
    assert len(shapes) == 17


@pytest.mark.parametrize(
    ("photo", "resized"),
    [
        ((4000, 3000), (640, 480)),
        ((3000, 2000), (672, 448)),
        ((1920, 1080), (736, 416)),
        ((1080, 2340), (384, 800)),
        ((900, 900), (544, 544)),
        ((9000, 100), (1056, 288)),
    ],
)
def test_photos_of_cameras_keep_their_shape(photo: Size, resized: Size) -> None:
    assert Preprocessing("area", 640, 480, 32).size(*photo) == resized


@pytest.mark.parametrize("multiple", [1, 14, 16, 32, 64])
def test_each_multiple_has_a_size(multiple: int) -> None:
    preprocessing = Preprocessing("area", 640, 480, multiple)
    for photo in ((1, 1), (10_000, 1), (1, 10_000), (641, 479)):
        width, height = preprocessing.size(*photo)
        assert width % multiple == height % multiple == 0
        assert 0 < width * height <= 640 * 480


@pytest.mark.parametrize(
    ("size", "preprocessing"),
    [
        ((4000, 200), Preprocessing("area")),  # beyond 4:1, fewer pixels than it has
        ((1900, 100), Preprocessing("area")),  # the same, more pixels
        ((1001, 300), Preprocessing("exact", 320, 320)),
        ((1001, 100), Preprocessing("exact", 320, 640)),
        ((2001, 20), Preprocessing("longest", 640, 640)),
    ],
)
def test_a_side_that_shrinks_beside_one_that_grows_is_averaged(
    size: tuple[int, int], preprocessing: Preprocessing
) -> None:
    wide, high = stripes(*size), stripes(*size[::-1], upright=False)
    if preprocessing.resize == "exact":
        turned = Preprocessing("exact", preprocessing.height, preprocessing.width)
    else:
        turned = preprocessing
    for pixels, kind in ((wide, preprocessing), (high, turned)):
        photo = as_photo(pixels)
        resized = resize_photo(photo, kind)
        assert resized.shape[1::-1] == kind.size(photo.width, photo.height)
        assert abs(resized - GREY).max() < 50


def test_a_box_that_shrinks_along_one_side_is_averaged() -> None:
    photo = cut_box(as_photo(stripes(4000, 200)), PhotoBox(0, 0, 3001, 40))
    resized = resize_photo(photo, Preprocessing("area"))
    assert resized.shape[0] > 40
    assert resized.shape[1] < 3001
    assert abs(resized - GREY).max() < 50


@pytest.mark.parametrize(
    ("size", "interpolation"),
    [
        ((320, 160), cv2.INTER_AREA),
        ((400, 160), cv2.INTER_AREA),  # one side stays
        ((640, 480), cv2.INTER_LINEAR),
        ((640, 300), cv2.INTER_LINEAR),
    ],
)
def test_sides_that_agree_are_resized_at_once(size: tuple[int, int], interpolation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    resized = resize_photo(as_photo(pixels), Preprocessing("exact", *size))
    np.testing.assert_array_equal(resized, cv2.resize(pixels, size, interpolation=interpolation))


def test_a_strip_is_the_same_photo_in_a_jpeg_that_is_decoded_smaller(tmp_path: Path) -> None:
    y, x = np.mgrid[:400, :8000]
    waves = 127 + 60 * np.sin(x / 40) + 60 * np.sin(y / 20)
    strip = Image.fromarray(np.repeat(waves[..., None], 3, axis=2).astype(np.uint8))
    path = tmp_path / "strip.jpg"
    path.write_bytes(encoded(strip, "JPEG", quality=95))
    model = Preprocessing("exact", 900, 64)
    smaller = decode_photo(path, target_size=model.size)
    assert smaller.pixels.shape == (100, 2000, 3)
    apart = resize_photo(smaller, model).astype(int) - resize_photo(decode_photo(path), model)
    assert abs(apart).mean() < 2


def test_a_jpeg_of_another_shape_is_averaged_too() -> None:
    jpeg = encode_jpeg(stripes(1001, 100), (320, 200), quality=95)
    assert abs(decode_photo(jpeg).pixels - GREY).max() < 50
