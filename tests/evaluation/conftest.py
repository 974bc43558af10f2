from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from place_search.evaluation import Diagnosis
from place_search.models import Model, open_model

Draw = Callable[..., None]


def kinds(diagnosis: Diagnosis) -> dict[str, int]:
    """How many things each problem is about, by its code."""
    return {problem.code: problem.count for problem in diagnosis.problems}


@pytest.fixture(scope="session")
def model() -> Model:
    return open_model(mode="throughput", threads=2)


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Paint a scene of blocks that is a function of `scene`, seen `shift` pixels to the side."""

    def paint(path: Path, scene: int, shift: int = 0) -> None:
        rng = np.random.default_rng(scene)
        canvas = Image.new("RGB", (512, 256), tuple(rng.integers(0, 255, 3).tolist()))
        for _ in range(40):
            width, height = rng.integers(10, 90, 2)
            left, top = rng.integers(0, 500), rng.integers(0, 250)
            colour = tuple(rng.integers(0, 255, 3).tolist())
            canvas.paste(colour, (int(left), int(top), int(left + width), int(top + height)))
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.crop((shift, 0, shift + 320, 240)).save(path, quality=92)

    return paint
