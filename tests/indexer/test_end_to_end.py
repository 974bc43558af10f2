"""The default model: index places, find them again from photos taken otherwise."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from place_search.indexer import build_index, open_index, open_source
from place_search.models import open_model


def _place(seed: int, size: tuple[int, int]) -> Image.Image:
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(50):
        x, y, width, height = (int(value) for value in rng.integers(0, size * 2))
        box = (x, y, x + width // 6 + 5, y + height // 6 + 5)
        draw.rectangle(box, fill=tuple(int(value) for value in rng.integers(0, 255, 3)))
    return image


@pytest.mark.slow
def test_a_place_is_found_from_another_photo(tmp_path: Path) -> None:
    model = open_model(mode="throughput")
    shapes = [(640, 480), (480, 640), (800, 450)]
    places = [_place(seed, shapes[seed % 3]) for seed in range(9)]
    (tmp_path / "photos").mkdir()
    for number, place in enumerate(places):
        place.save(tmp_path / "photos" / f"{number}.jpg")

    build_index(open_source(tmp_path / "photos"), tmp_path / "index", model)
    build_index(open_source(tmp_path / "photos"), tmp_path / "again", model, photos_per_shard=2)

    index, again = open_index(tmp_path / "index"), open_index(tmp_path / "again")
    assert index.dims == model.card.dims
    np.testing.assert_array_equal(
        np.concatenate(list(index.descriptors().chunks())),
        np.concatenate(list(again.descriptors().chunks())),
    )
    for number, place in enumerate(places):
        width, height = place.size
        seen = place.crop((width // 20, height // 15, width, height)).point(lambda v: v * 0.8)
        seen.save(tmp_path / "query.jpg", quality=60)
        hits = index.search(model.embed(model.read(tmp_path / "query.jpg")).descriptor, 3)
        assert hits[0].place_id == number
        assert hits[0].similarity > hits[1].similarity
        same = index.search(model.embed(model.read(index.place(number).path)).descriptor, 1)[0]
        assert same.similarity == pytest.approx(1, abs=2e-4)  # the place's is in 8 bits
