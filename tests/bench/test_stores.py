"""The generated index is an index, and has the structure that the scale bench relies on."""

from pathlib import Path

import numpy as np
import pytest

from bench.generated import Generated, write_index
from bench.stores_child import build, change, compare, search
from place_search.indexer import open_index, verify_index


def test_generated_descriptors_are_places() -> None:
    generated = Generated(3000, 64)
    vectors = np.concatenate([vectors for _, vectors in generated.shards()])
    assert vectors.shape == (3000, 64)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cosines = vectors[:12] @ vectors.T
    assert cosines[:, :12].mean() > cosines[:, 12:96].mean() > cosines[:, 96:].mean()
    again = np.concatenate([vectors for _, vectors in generated.shards()])
    np.testing.assert_array_equal(vectors, again)


def test_descriptors_like_those_of_an_index_lie_around_them(tmp_path: Path) -> None:
    write_index(Generated(12, 64), tmp_path / "real")
    real = np.concatenate(list(open_index(tmp_path / "real").descriptors().chunks()))
    generated = Generated(1000, 64, tmp_path / "real")
    vectors = np.concatenate([vectors for _, vectors in generated.shards()])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    chance = np.concatenate([vectors for _, vectors in Generated(1000, 64).shards()])
    assert (vectors @ real.T).max(axis=1).mean() > 2 * (chance @ real.T).max(axis=1).mean()


@pytest.mark.slow
def test_every_part_of_the_bench_runs(tmp_path: Path) -> None:
    generated = Generated(3000, 64)
    told = build(generated, tmp_path, "ivf-rabitq")
    assert told["store"].startswith("ivf-rabitq: as requested; recall@10 ")
    assert search(generated, tmp_path)["recall"] > 0.9
    assert compare("numpy", generated, tmp_path)["recall"] > 0.98
    changed = change(generated, tmp_path)
    assert changed["recall"] > 0.9
    index = open_index(tmp_path / "index")
    assert (index.count, index.manifest.removed) == (3000 + 1000 - 150, 0)
    assert verify_index(tmp_path / "index").problems == []


def test_an_index_can_be_written_without_photos(tmp_path: Path) -> None:
    write_index(Generated(100, 32), tmp_path / "index")
    assert open_index(tmp_path / "index").store_card.kind == "exact"
