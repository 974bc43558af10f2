"""The embed pipeline: order, what is skipped and why, and how far it runs ahead."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from place_search.core.geodesy import Position, Utm
from place_search.indexer import PlacePhoto, Skipped, SourceError
from place_search.indexer.pipeline import AHEAD, StageClock, embed_photos
from place_search.models import Embedding, Model


def _all(root: Path, names: list[str], model: Model) -> list[tuple[int, object]]:
    photos = ((number, PlacePhoto(root / name, name)) for number, name in enumerate(names))
    return list(embed_photos(photos, root, model, StageClock()))


def test_results_keep_numbers_and_order(photos: Path, model: Model) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    names = ["broken.jpg", "p01.jpg", "more/p08.jpg", "gone.jpg", "p00.jpg", "broken.jpg"]
    clock = StageClock()
    numbered = [(7 * at, PlacePhoto(photos / name, name)) for at, name in enumerate(names)]

    results = list(embed_photos(numbered, photos, model, clock, decoders=3))

    assert [number for number, _ in results] == [0, 7, 14, 21, 28, 35]
    assert [result.name for _, result in results] == names
    kinds = [isinstance(result, Skipped) for _, result in results]
    assert kinds == [True, False, False, True, False, True]
    _, first = results[1]
    assert not isinstance(first, Skipped)
    assert first.place_id == 7
    alone = model.embed(model.read(photos / "p01.jpg"))
    np.testing.assert_array_equal(first.descriptor, alone.descriptor)
    assert (first.width, first.height, first.grid) == (
        160,
        120,
        alone.require_local_features().shape[:2],
    )
    assert first.size == (photos / "p01.jpg").stat().st_size
    assert first.mtime_ns == (photos / "p01.jpg").stat().st_mtime_ns
    assert set(clock.seconds()) == {"decode", "thumbnail", "waiting for photos"}


def test_thumbnails_fit_320_pixels(tmp_path: Path, model: Model) -> None:
    Image.new("RGB", (1000, 600), "red").save(tmp_path / "large.png")
    Image.new("RGB", (64, 40), "red").save(tmp_path / "small.png")
    Image.new("RGB", (3000, 4), "red").save(tmp_path / "thin.png")

    sizes = []
    for _, row in _all(tmp_path, ["large.png", "small.png", "thin.png"], model):
        assert not isinstance(row, Skipped)
        with Image.open(io.BytesIO(row.thumbnail)) as thumbnail:  # type: ignore[attr-defined]
            assert thumbnail.format == "JPEG"
            sizes.append(thumbnail.size)
    assert sizes == [(320, 192), (64, 40), (320, 1)]


def test_what_is_skipped_and_why(photos: Path, model: Model) -> None:
    whole = (photos / "p01.jpg").read_bytes()
    (photos / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "empty.jpg").touch()
    (photos / "text.jpg").write_text("a photo, honestly")
    os.mkfifo(photos / "pipe.jpg")
    (photos / "loop.jpg").symlink_to(photos / "loop.jpg")
    (photos / "dangling.jpg").symlink_to(photos / "nowhere.jpg")
    latin = os.fsdecode(b"caf\xe9.jpg")
    (photos / latin).write_bytes(whole)
    reasons = {
        "half.jpg": "truncated or corrupt",
        "empty.jpg": "not a photo in a supported format",
        "text.jpg": "not a photo in a supported format",
        "pipe.jpg": "not a regular file",
        "loop.jpg": "a link that leads to itself",
        "dangling.jpg": "does not exist any more",
        f"{'x' * 300}.jpg": "its path is too long",
        latin: "not UTF-8",
    }

    results = _all(photos, [*reasons, "p01.jpg"], model)

    for (_, skipped), (name, reason) in zip(results[:-1], reasons.items(), strict=True):
        assert isinstance(skipped, Skipped)
        assert skipped.name == ("caf\\xe9.jpg" if name == latin else name)
        assert reason in skipped.reason
    assert not isinstance(results[-1][1], Skipped)


def test_a_photo_that_may_not_be_read(unprivileged: Path, model: Model) -> None:
    Image.new("RGB", (64, 64)).save(unprivileged / "locked.jpg")
    (unprivileged / "locked.jpg").chmod(0)

    ((_, skipped),) = _all(unprivileged, ["locked.jpg"], model)

    assert skipped == Skipped("locked.jpg", "it may not be read; check its permissions")


def test_a_root_that_disappears_is_fatal(photos: Path, model: Model) -> None:
    photos.rename(photos.with_name("unplugged"))

    with pytest.raises(SourceError, match=r"p01\.jpg cannot be read"):
        _all(photos, ["p01.jpg"], model)


def test_positions_come_from_the_source_else_from_exif(
    tmp_path: Path, model: Model, render: "object"
) -> None:
    position = Position(47.5, 8.5)
    render(tmp_path / "a.jpg", 1, position=position)  # type: ignore[operator]
    path = tmp_path / "a.jpg"
    given_position = Position(-10.0, 20.0)
    utm = Utm(500000.0, 5000000.0, "31T")
    place_photos = [
        PlacePhoto(path, "exif"),
        PlacePhoto(path, "said", given_position),
        PlacePhoto(path, "utm", None, utm),
        PlacePhoto(path, "local metres", None, Utm(1.0, 2.0)),
    ]

    rows = [row for _, row in embed_photos(enumerate(place_photos), tmp_path, model, StageClock())]

    exif, by_source, by_utm, local = rows
    assert not any(isinstance(row, Skipped) for row in rows)
    assert exif.position == position  # type: ignore[union-attr]
    assert exif.utm.zone == "32T"  # type: ignore[union-attr]
    assert (by_source.position, by_source.utm.zone) == (given_position, "34L")  # type: ignore[union-attr]
    assert by_utm.utm == utm  # type: ignore[union-attr]
    assert by_utm.position.longitude == pytest.approx(3)  # type: ignore[union-attr]
    assert local.utm == Utm(1.0, 2.0)  # type: ignore[union-attr]
    assert local.position is None  # type: ignore[union-attr]


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_descriptor_that_tells_nothing_is_skipped(
    photos: Path, blocks: ModuleType, value: float
) -> None:
    class Broken(blocks.BlockRuntime):  # type: ignore[misc, name-defined]
        def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
            embedding: Embedding = super().embed(pixels)
            return embedding._replace(descriptor=np.full_like(embedding.descriptor, value))

    model = Model(blocks.block_model().card, Broken())

    ((_, skipped),) = _all(photos, ["p01.jpg"], model)

    assert skipped == Skipped("p01.jpg", "the model gives no finite descriptor for it")


def test_it_runs_only_so_far_ahead(photos: Path, model: Model) -> None:
    begun = 0

    def endless() -> Iterator[tuple[int, PlacePhoto]]:
        nonlocal begun
        while True:
            yield begun, PlacePhoto(photos / "p01.jpg", "p01.jpg")
            begun += 1

    results = embed_photos(endless(), photos, model, StageClock())
    for _ in range(30):
        number, _ = next(results)
        assert begun - number <= AHEAD
    results.close()
