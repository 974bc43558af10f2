"""A batch of photos that have the light of one night in common."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import place_search
from place_search.indexer import build_index, open_index, open_source
from place_search.search.engine import Engine
from tests.indexer.block_model import block_model

PLACES = 40


def photo_of(place: int) -> Image.Image:
    patches = np.random.default_rng(place).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((128, 96), Image.Resampling.BICUBIC)


def by_night(photo: Image.Image) -> Image.Image:
    """Dark, and with one lamp that lights a side of every photo."""
    lamp = np.zeros((96, 128, 3))
    lamp[:, :64] = (150, 120, 60)
    return Image.fromarray((np.asarray(photo) * 0.35 + lamp).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("town")
    for below, change in (("day", lambda photo: photo), ("night", by_night)):
        (folder / below).mkdir()
        for place in range(PLACES):
            change(photo_of(place)).save(folder / below / f"{place:02d}.png")
    build_index(open_source(folder / "day"), folder / "index", block_model())
    return folder


def right(town: Path, photos: list[Path], *, standardize: bool) -> float:
    index = open_index(town / "index")
    answers = place_search.search_many(
        index, photos, model=block_model(), k=3, standardize=standardize
    )
    found = [answer.results[0].name for answer in answers]
    return 100 * float(
        np.mean([name == photo.name for name, photo in zip(found, photos, strict=True)])
    )


@pytest.mark.slow
def test_what_a_batch_has_in_common_no_longer_counts(town: Path) -> None:
    photos = sorted((town / "night").iterdir())
    assert right(town, photos, standardize=True) > right(town, photos, standardize=False) + 20


def test_an_answer_says_that_it_is_standardised(town: Path) -> None:
    index = open_index(town / "index")
    engine = Engine(index, block_model())
    night = town / "night" / "05.png"
    batch = engine.standards_of([night, b"no photo", town / "night" / "06.png"])
    answer = engine.search(night, batch=batch, verify=False)
    assert "standardised over 2 photos of the batch" in answer.query.notes[-1]
    # Similarities stay those of the photos themselves.
    plain = {result.name: result.similarity for result in engine.search(night, k=40).results}
    assert all(
        result.similarity == pytest.approx(plain[result.name], abs=1e-5)
        for result in answer.results
    )


def test_one_photo_is_a_batch_too(town: Path) -> None:
    photos = [town / "day" / "07.png"]
    assert right(town, photos, standardize=True) == 100
