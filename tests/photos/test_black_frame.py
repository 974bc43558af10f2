"""Which cells are a photo's black frame."""

import numpy as np
import pytest
from numpy.typing import NDArray

from place_search.photos.black_frame import black_frame

GRID = (30, 40)


def scene(seed: int = 0) -> NDArray[np.uint8]:
    """Patches of 16 × 16 pixels, from black to white, with noise."""
    random = np.random.default_rng(seed)
    patches = random.integers(0, 256, (*GRID, 3)).repeat(16, axis=0).repeat(16, axis=1)
    noise = random.integers(-8, 9, patches.shape)
    return np.asarray(np.clip(patches + noise, 0, 255), np.uint8)


def inside_circle(radius: float) -> NDArray[np.bool_]:
    """Pixels within a radius in pixels around the middle."""
    y, x = np.mgrid[:480, :640]
    return np.asarray(np.hypot(x - 319.5, y - 239.5) < radius)


@pytest.mark.parametrize("black", [0, 16])
def test_outside_of_a_lens_is_its_frame(black: int) -> None:
    pixels = scene()
    outside = ~inside_circle(300)
    pixels[outside] = black + np.random.default_rng(1).integers(0, 6, (outside.sum(), 1))
    frame = black_frame(pixels, GRID)
    shares = outside.reshape(30, 16, 40, 16).mean(axis=(1, 3))
    assert frame[shares == 1].all(), "all that lies outside of the circle"
    assert not frame[inside_circle(300 - 3 * 16).reshape(30, 16, 40, 16).all(axis=(1, 3))].any()


def test_bars_are_a_frame_with_the_cells_beside_them() -> None:
    pixels = scene()
    pixels[:64] = pixels[-64:] = 0
    frame = black_frame(pixels, GRID)
    assert frame[:5].all()
    assert frame[-5:].all()
    assert not frame[5:-5].any()


def test_dark_things_of_a_scene_are_no_frame() -> None:
    pixels = scene()
    pixels[:64, :200] = pixels[-200:, 500:] = pixels[200:280, 300:340] = 0
    assert not black_frame(pixels, GRID).any(), "dark corners that are not alike"
    pixels[:64] = pixels[-64:] = 0
    frame = black_frame(pixels, GRID)
    assert not frame[12:18].any(), "a dark thing in the middle"
    assert not black_frame(scene(), GRID).any()


def test_a_photo_of_one_colour_is_nothing_but_a_frame() -> None:
    assert black_frame(np.full((480, 640, 3), 40, np.uint8), GRID).all()
