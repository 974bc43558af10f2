import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netvlad import code_bytes, encode_cells


def test_one_bit_a_channel_first_channel_highest() -> None:
    cells = np.array([[[1, -1, 0, 2, -3, -4, -5, -6, 7]]], dtype=np.float32)
    assert encode_cells(cells).tolist() == [[0b10010000, 0b10000000]]


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 130))
def test_hamming_distance_counts_the_differing_signs(
    height: int, width: int, channels: int
) -> None:
    random = np.random.default_rng(channels)
    cells = random.normal(size=(2, height, width, channels)).astype(np.float32)
    one, other = (encode_cells(grid) for grid in cells)
    assert one.shape == (height * width, code_bytes(channels))
    differing = (cells[0] > 0) != (cells[1] > 0)
    distance = np.bitwise_count(one ^ other).sum(axis=1)
    np.testing.assert_array_equal(distance, differing.reshape(-1, channels).sum(axis=1))
