"""Indexes that version 0.1 made: opened, searched, checked, added to and compacted."""

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from place_search.indexer import (
    add_photos,
    compact_index,
    migrate_index,
    open_index,
    open_index_model,
    open_source,
    read_manifest,
    remove_places,
    verify_index,
)
from place_search.search.engine import Engine

ARCHIVE = Path(__file__).parent / "made_by_0_1" / "indexes.tar.xz"
NAMES = {
    "exact": ["0.jpg", "1.jpg", "2.jpg"],
    "removed": ["0.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"],
}
"""`removed` has one-bit codes and no local features, and holds the removed place 1.jpg."""


@pytest.fixture
def indexes(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.mark.parametrize("kind", NAMES)
def test_an_index_of_0_1_is_searched_as_before(indexes: Path, kind: str) -> None:
    index = open_index(indexes / kind)
    assert [place.name for place in index.places()] == NAMES[kind]
    engine = Engine(index, open_index_model(index.manifest))
    reply = engine.search(indexes / "photos" / "2.jpg", k=3, verify=True)
    best = reply.results[0]
    assert (best.name, best.similarity > 0.9999) == ("2.jpg", True)
    assert (best.verified is not None and best.verified.inliers > 500) == (kind == "exact")
    assert index.manifest.removed == (kind == "removed")
    assert verify_index(indexes / kind).whole


@pytest.mark.parametrize("kind", NAMES)
def test_an_index_of_0_1_is_changed_as_one_of_today(indexes: Path, kind: str) -> None:
    folder = indexes / kind
    model = open_index_model(read_manifest(folder), mode="throughput")
    before = {place.name: place.place_id for place in open_index(folder).places()}
    (indexes / "more").mkdir()
    shutil.copy(indexes / "photos" / "1.jpg", indexes / "more" / "new.jpg")
    report = add_photos(folder, open_source(indexes / "more"), model)
    assert report.added == 1
    compact_index(folder, store="exact")
    assert verify_index(folder).whole
    after = open_index(folder)
    places = {place.name: place.place_id for place in after.places()}
    assert places.items() >= before.items()
    photo = model.read(indexes / "more" / "new.jpg")
    hits = after.search(model.embed(photo).descriptor, 1)
    assert np.isclose(hits[0].similarity, 1, atol=1e-4)
    remove_places(folder, ["0.jpg"])
    assert verify_index(folder).whole
    assert open_index(folder).count == len(places) - 1


@pytest.mark.parametrize("kind", NAMES)
def test_an_index_of_0_1_becomes_small_without_its_photos(indexes: Path, kind: str) -> None:
    folder = indexes / kind
    before = open_index(folder)
    rows = before.descriptors().take(np.arange(before.count))
    size = before.manifest.bytes
    shutil.rmtree(indexes / "photos")

    report = migrate_index(folder)

    after = open_index(folder)
    assert (report.compacted, report.places) == (True, before.count)
    assert list(after.places()) == list(before.places())
    assert after.place_ids.tolist() == before.place_ids.tolist()
    assert (np.vecdot(after.descriptors().take(np.arange(after.count)), rows) > 0.9998).all()
    assert (after.manifest.descriptor_type, after.manifest.removed) == ("int8", 0)
    assert after.manifest.bytes < (0.6 if kind == "exact" else 0.75) * size
    assert not (kind == "exact" and (folder / "index.faiss").exists())
    assert verify_index(folder).whole
    assert not migrate_index(folder).compacted
    assert open_index(folder).index_id == after.index_id
