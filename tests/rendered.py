"""Rendered places: coloured patches and lines, others for every seed."""

import numpy as np
from PIL import Image, ImageDraw


def rendered_place(
    seed: int,
    size: tuple[int, int] = (640, 480),
    *,
    patches: tuple[int, int] = (8, 6),
    things: int = 60,
    sides: tuple[int, int] = (10, 120),
) -> Image.Image:
    """What a place looks like: patches, and before them things with sides of so many pixels."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (*patches[::-1], 3), dtype=np.uint8))
    image = coarse.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(things):
        x, y = (int(value) for value in rng.integers(0, size))
        width, height = (int(value) for value in rng.integers(*sides, 2))
        colour = tuple(int(value) for value in rng.integers(0, 255, 3))
        if rng.random() < 0.5:
            draw.rectangle((x, y, x + width, y + height), fill=colour)
        else:
            draw.line((x, y, x + width, y - height), fill=colour, width=4)
    return image
