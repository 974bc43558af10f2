"""Descriptors in 8 bits: what is lost, what is kept, and indexes of either type of numbers."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from place_search.indexer import (
    Index,
    add_photos,
    build_index,
    compact_index,
    open_index,
    open_source,
    remove_places,
    repair_index,
)
from place_search.indexer.storage.descriptor_codes import DescriptorType, decode, encode
from place_search.models import Model
from tests.indexer.conftest import Render
from tests.indexer.whole import whole


def _stored_type(folder: Path) -> tuple[np.dtype[np.generic], str]:
    with h5py.File(folder / "descriptors.h5") as joined:
        return joined["descriptors"].dtype, joined["descriptors"].attrs["meaning"]


@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_codes_keep_the_direction_and_are_their_own_codes(seed: int, dims: int) -> None:
    descriptors = np.random.default_rng(seed).standard_normal((3, dims)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)

    codes = encode(descriptors)
    read = decode(codes)

    assert codes.dtype == np.int8
    np.testing.assert_allclose(np.linalg.norm(read, axis=1), 1, atol=1e-5)
    assert (np.vecdot(read, descriptors) > 0.999).all()
    np.testing.assert_array_equal(encode(read), codes)


def test_a_row_of_zeros_stays_one() -> None:
    zeros = np.zeros((2, 5), np.float32)
    np.testing.assert_array_equal(decode(encode(zeros)), zeros)


@pytest.mark.parametrize("kind", ["int8", "float32"])
def test_every_change_keeps_the_type_of_the_numbers(
    photos: Path, tmp_path: Path, model: Model, render: Render, kind: DescriptorType
) -> None:
    out = tmp_path / "index"
    build_index(open_source(photos), out, model, photos_per_shard=4, descriptor_type=kind)
    before = whole(out)
    rows = np.concatenate(list(before.descriptors().chunks()))

    render(photos / "x.jpg", 50)
    add_photos(out, open_source(photos), model)
    remove_places(out, [1, 2, 3])
    compact_index(out)
    (out / open_index(out).manifest.shards[0]).write_bytes(b"lost")
    repair_index(out, lambda: model)

    after = whole(out)
    assert after.manifest.descriptor_type == kind
    assert _stored_type(out)[0] == np.dtype(kind)
    is_kept = np.isin(before.place_ids, after.place_ids)
    same = after.descriptors().take(np.arange(is_kept.sum()))
    np.testing.assert_array_equal(same, rows[is_kept])


def test_the_joined_file_says_what_its_numbers_are(
    photos: Path, tmp_path: Path, model: Model
) -> None:
    build_index(open_source(photos), tmp_path / "small", model)
    build_index(open_source(photos), tmp_path / "large", model, descriptor_type="float32")
    assert "divide each row by its Euclidean norm" in _stored_type(tmp_path / "small")[1]
    assert _stored_type(tmp_path / "large")[1] == "descriptors of norm 1"


def test_an_exact_store_finds_what_is_stored_and_keeps_no_copy(
    photos: Path, tmp_path: Path, model: Model
) -> None:
    build_index(open_source(photos), tmp_path / "index", model, photos_per_shard=4)
    index: Index = open_index(tmp_path / "index")
    assert not (tmp_path / "index" / "index.faiss").exists()
    rows = np.concatenate(list(index.descriptors().chunks()))
    query = rows[3] + 0.5 * rows[7]
    query /= np.linalg.norm(query)

    hits = index.search(query, 5)

    order = np.argsort(-(rows @ query), kind="stable")[:5]
    assert [hit.place_id for hit in hits] == index.place_ids[order].tolist()
    np.testing.assert_allclose([hit.similarity for hit in hits], (rows @ query)[order], atol=1e-6)
    only = index.search(query, 5, only=np.array([7, 2, 99]))
    assert [hit.place_id for hit in only] == [7, 2]
