"""Altered views of a photo, as if from another hour and another standpoint.

Views are drawn from the given generator: the same seed gives the same views.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from place_search.photos.opencv import cv2
from place_search.photos.photo import resize_pixels

Pixels: TypeAlias = NDArray[np.uint8]
"""(h, w, 3) RGB."""
Light: TypeAlias = NDArray[np.float32]
"""(h, w, 3) RGB, linear in 0–1."""

_GAMMA = 2.2
_LIGHT = np.power(np.arange(256, dtype=np.float32) / 255, np.float32(_GAMMA))
"""The light of each value of a pixel."""
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def cover(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Scale a photo until it covers (width, height), and crop it evenly."""
    width, height = size
    rows, columns = pixels.shape[:2]
    if (columns, rows) == size:
        return pixels
    scale = max(width / columns, height / rows)
    wide, high = max(width, round(columns * scale)), max(height, round(rows * scale))
    scaled = resize_pixels(pixels, (wide, high))
    top, left = (high - height) // 2, (wide - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def draw_view(
    pixels: Pixels, size: tuple[int, int], random: np.random.Generator, *, night: float = 0.5
) -> Pixels:
    """A moved view of a photo at (width, height), with probability `night` by night."""
    moved = move(pixels, size, random)
    return make_night(moved, random) if random.random() < night else change_day(moved, random)


def move(
    pixels: Pixels,
    size: tuple[int, int],
    random: np.random.Generator,
    *,
    least: float = 0.6,
    bend: float = 0.08,
) -> Pixels:
    """A crop of at least the share `least` of each side, in a slightly tilted perspective.

    `bend` is the greatest movement of a corner, as a share of the crop's sides.
    """
    rows, columns = pixels.shape[:2]
    share = random.uniform(least, 1.0)
    stretch = np.exp(random.uniform(-0.15, 0.15))
    aspect = size[0] / size[1] * stretch
    wide = min(columns, rows * aspect) * share
    high = wide / aspect
    left, top = random.uniform(0, columns - wide), random.uniform(0, max(0.0, rows - high))
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float32)
    source = (corners + random.uniform(-bend, bend, (4, 2))) * (wide, high) + (left, top)
    target = corners * np.array(size, dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(source.astype(np.float32), target)
    moved = cv2.warpPerspective(pixels, matrix, size, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, dtype=np.uint8)


def crop_part(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """A part of a photo, a third to four fifths of its height; mirrored in half of the cases."""
    rows, columns = pixels.shape[:2]
    high = int(rows * random.uniform(0.35, 0.8))
    wide = min(columns, int(high * random.uniform(1.1, 1.6)))
    top, left = random.integers(0, rows - high + 1), random.integers(0, columns - wide + 1)
    part = pixels[top : top + high, left : left + wide]
    return np.ascontiguousarray(part[:, ::-1] if random.random() < 0.5 else part)


def lower_resolution(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """A photo at the detail of a camera of a quarter to half its width."""
    height, width = pixels.shape[:2]
    share = random.uniform(0.25, 0.5)
    small = (max(64, int(width * share)), max(64, int(height * share)))
    return resize_pixels(resize_pixels(pixels, small), (width, height))


def change_day(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Another exposure, white balance, shadows and haze, as between two days."""
    light = _to_light(pixels)
    light *= _smooth_gain(pixels.shape, random, random.uniform(0, 0.7))
    light *= np.exp(random.normal(0, 0.12, 3)).astype(np.float32)
    if random.random() < 0.15:
        haze = np.float32(random.uniform(0.1, 0.4))
        light *= 1 - haze
        light += haze * np.float32(random.uniform(0.5, 0.9))
    light *= np.float32(np.exp(random.normal(0, 0.35)))
    return _develop(light, random, grey=0.15, stretch=0.3, noise=0.01)


def make_night(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """The place by night: a dark sky, lamps and their pools of light, noise, and a long exposure.

    Cameras and their owners brighten such photos again: half of these are stretched too.
    """
    light = _darken_sky(_to_light(pixels), random)
    lit = _smooth_gain(light.shape, random, random.uniform(0.5, 1.4)) * np.float32(0.25)
    rows, columns = light.shape[:2]
    x = np.arange(columns, dtype=np.float32) / np.float32(columns)
    y = np.arange(rows, dtype=np.float32)[:, None] / np.float32(columns)
    for _ in range(int(random.integers(1, 6))):
        at_x, at_y = random.uniform(0, 1), random.uniform(0, rows / columns)
        reach = random.uniform(0.08, 0.45)
        warm = np.array([1.0, random.uniform(0.6, 1.0), random.uniform(0.3, 1.0)], np.float32)
        from_lamp = -((x - at_x) ** 2 + (y - at_y) ** 2)
        pool = np.exp(from_lamp / np.float32(2 * reach**2))[..., None] * warm
        pool *= np.float32(random.uniform(0.3, 2.5))
        pool += lit
        lit = pool
        if random.random() < 0.4:  # the lamp itself, in view
            glow = np.exp(from_lamp / np.float32(2 * 0.015**2))[..., None]
            light += glow * np.float32(random.uniform(0.5, 2.0))
    light *= lit
    light *= np.float32(np.exp(random.normal(-0.6, 0.6)))
    return _develop(light, random, grey=0.5, stretch=0.6, noise=random.uniform(0.005, 0.05))


def _to_light(pixels: Pixels) -> Light:
    return np.asarray(cv2.LUT(pixels, _LIGHT), dtype=np.float32)


def _smooth_gain(shape: tuple[int, ...], random: np.random.Generator, strength: float) -> Light:
    """A smooth gain, (h, w, 1), whose logarithm has standard deviation `strength`."""
    coarse = int(random.integers(2, 7))
    knots = random.normal(0, strength, (coarse, coarse + 1)).astype(np.float32)
    smooth = cv2.resize(knots, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.exp(np.asarray(smooth, dtype=np.float32))[..., None]


def _darken_sky(light: Light, random: np.random.Generator) -> Light:
    """Darken bright pixels above the middle of a photo, which are sky by day."""
    rows = len(light)
    high = np.clip(1.2 - 2 * np.linspace(0, 1, rows, dtype=np.float32), 0, 1)[:, None, None]
    brightness = (light @ _GREY)[..., None]
    bound = np.float32(random.uniform(0.25, 0.7))
    sky = 1 / (1 + np.exp(-(brightness - bound) * 20)) * high
    return np.asarray(light * (1 - np.float32(random.uniform(0.6, 1.0)) * sky), dtype=np.float32)


def _develop(
    light: Light, random: np.random.Generator, *, grey: float, stretch: float, noise: float
) -> Pixels:
    """From light to pixels: blur, sensor noise, tone curve, and later edits of photos.

    Changes `light`: memory for each step anew would take longer than the steps.
    """
    if random.random() < 0.3:
        sigma = float(random.uniform(0.4, 1.6))
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), dtype=np.float32)
    grain = random.standard_normal((*light.shape[:2], 1 if random.random() < 0.5 else 3))
    grain *= noise
    shot = np.sqrt(np.clip(light, 0, 1))
    shot *= 0.5
    shot += 0.5
    grain = grain * shot
    grain *= np.float32(0.3)
    light += grain.astype(np.float32)
    tones = np.clip(light, 0, 1, out=light)
    tones **= np.float32(1 / _GAMMA * np.exp(random.normal(0, 0.25)))
    if random.random() < grey:
        tones = np.repeat((tones @ _GREY)[..., None], 3, axis=2)
    if random.random() < stretch:
        low, high = np.percentile(tones[::4, ::4], (1, 99))
        tones = (tones - low) / max(high - low, 0.02)
    np.clip(tones, 0, 1, out=tones)
    tones *= 255
    tones += 0.5
    pixels: Pixels = tones.astype(np.uint8)
    if random.random() < stretch / 2:
        pixels = _equalise(pixels, float(random.uniform(1, 4)))
    return pixels


def _equalise(pixels: Pixels, limit: float) -> Pixels:
    """Local contrast by adaptive histogram equalisation of the lightness."""
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(clipLimit=limit, tileGridSize=(8, 8)).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), dtype=np.uint8)
