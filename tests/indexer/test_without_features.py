"""An index without local features is smaller, and stays without them whatever becomes of it."""

from pathlib import Path

import numpy as np
import pytest

from place_search.indexer import (
    add_photos,
    build_index,
    open_index,
    open_source,
    repair_index,
    verify_index,
)
from place_search.models import Model
from place_search.search.engine import Engine


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in (folder / "descriptors").glob("*.h5"))


@pytest.fixture
def bare(photos: Path, tmp_path: Path, model: Model) -> Path:
    """The photos' index without local features, in shards of four places."""
    folder = tmp_path / "bare"
    build_index(open_source(photos), folder, model, photos_per_shard=4, local_features=False)
    return folder


def test_local_features_are_left_out_and_all_else_is_there(
    bare: Path, photos: Path, tmp_path: Path, model: Model
) -> None:
    full = tmp_path / "full"
    build_index(open_source(photos), full, model, photos_per_shard=4)
    without, with_features = open_index(bare), open_index(full)
    assert (without.has_local_features, with_features.has_local_features) == (False, True)
    assert size_of(bare) < size_of(full)
    assert without.index_id != with_features.index_id
    descriptor = without.descriptors().take(np.array([3]))[0]
    assert [hit.place_id for hit in without.search(descriptor, 5)] == [
        hit.place_id for hit in with_features.search(descriptor, 5)
    ]


def test_what_is_added_or_mended_has_none_either(
    bare: Path, photos: Path, tmp_path: Path, model: Model
) -> None:
    more = tmp_path / "later"
    more.mkdir()
    (more / "p99.jpg").write_bytes((photos / "p03.jpg").read_bytes() + b"\0")
    add_photos(bare, open_source(more), model)
    assert open_index(bare).manifest.places == 12
    assert not open_index(bare).has_local_features

    shard = bare / open_index(bare).manifest.shards[0]
    shard.write_bytes(shard.read_bytes()[:-9])
    assert repair_index(bare, lambda: model).whole
    assert verify_index(bare).problems == []
    assert not open_index(bare).has_local_features


def test_asking_for_local_features_after_all_makes_the_index_again(
    bare: Path, photos: Path, model: Model
) -> None:
    report = build_index(open_source(photos), bare, model, photos_per_shard=4)
    assert report.reused == 0
    assert open_index(bare).has_local_features


def test_a_verified_search_says_that_nothing_was_verified(
    bare: Path, photos: Path, model: Model
) -> None:
    reply = Engine(open_index(bare), model).search(photos / "p03.jpg", k=3, verify=True)
    assert reply.results[0].name == "p03.jpg"
    assert reply.results[0].verified is None
    assert any("keeps no local features" in note for note in reply.query.notes)
