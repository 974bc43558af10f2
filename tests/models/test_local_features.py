import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from place_search.models import (
    CODE_BITS,
    CODE_BYTES,
    Embedding,
    decode_codes,
    encode_features,
    encode_grid,
    project_features,
)

GOLDEN = ["319032d419901a14319030941990", "17bc173dea6ee852f843aac2170d"]


@given(st.integers(1, 6), st.integers(1, 6), st.integers(8, 600))
def test_codes_are_the_signs_of_the_projection(height: int, width: int, channels: int) -> None:
    random = np.random.default_rng(channels)
    cells = random.normal(size=(height, width, channels)).astype(np.float32)
    codes, projected = encode_features(cells), project_features(cells)
    assert codes.shape == (height * width, CODE_BYTES)
    signs = decode_codes(codes).reshape(height, width, CODE_BITS)
    clear = np.abs(projected) > 1e-5
    np.testing.assert_array_equal(signs[clear] > 0, projected[clear] > 0)


@pytest.mark.parametrize(("height", "width"), [(0, 0), (1, 1), (30, 41)])
def test_a_model_can_bring_directions_of_its_own(height: int, width: int) -> None:
    random = np.random.default_rng(2)
    cells = random.normal(size=(height, width, 112)).astype(np.float32)
    directions = random.normal(size=(112, 56)).astype(np.float32)
    codes, projected = encode_features(cells, directions), project_features(cells, directions)
    assert codes.shape == (height * width, 7)
    expected = cells.astype(float) @ directions
    expected /= np.linalg.norm(expected, axis=2, keepdims=True)
    np.testing.assert_allclose(projected, expected, atol=1e-5)
    clear = np.abs(expected) > 1e-5
    signs = decode_codes(codes).reshape(height, width, 56)
    np.testing.assert_array_equal(signs[clear] > 0, expected[clear] > 0)


def test_a_black_frame_has_codes_of_zeros_which_mean_no_direction() -> None:
    random = np.random.default_rng(3)
    cells = random.normal(size=(4, 5, 112)).astype(np.float32)
    frame = np.zeros((4, 5), np.bool_)
    frame[0] = frame[:, -1] = True
    made = Embedding(np.ones(1, np.float32), cells, black_frame=frame)
    codes, grid = encode_grid(made)
    assert grid == (4, 5)
    np.testing.assert_array_equal(codes.any(axis=1), ~frame.ravel())
    signs = decode_codes(codes).reshape(4, 5, CODE_BITS)
    assert not signs[frame].any()
    np.testing.assert_array_equal(np.abs(signs[~frame]), 1)


@pytest.mark.parametrize("channels", [112, 256, 512, 1024])
def test_agreeing_bits_tell_the_cosine(channels: int) -> None:
    """A random direction separates two vectors with probability angle / π."""
    random = np.random.default_rng(1)
    one = random.normal(size=(30, 40, channels)).astype(np.float32)
    for share in (0.0, 0.5, 0.9):
        noise = random.normal(size=one.shape).astype(np.float32)
        other = share * one + (1 - share**2) ** 0.5 * noise
        agree = (decode_codes(encode_features(one)) * decode_codes(encode_features(other))).mean()
        assert agree == pytest.approx(1 - 2 * np.arccos(share) / np.pi, abs=0.02)


def test_the_directions_never_change() -> None:
    """Codes in an index are compared with codes made years later, elsewhere."""
    cells = np.linspace(-1, 1, 2 * 112, dtype=np.float32).reshape(1, 2, 112) ** 3
    assert [code.tobytes().hex() for code in encode_features(cells)] == GOLDEN


def test_an_empty_cell_has_no_direction() -> None:
    assert not project_features(np.zeros((1, 1, 112), np.float32)).any()
