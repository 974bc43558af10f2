"""A live track that a program feeds with descriptors of its own."""

from pathlib import Path

import numpy as np
import pytest

from bench.generated import Generated, write_index
from place_search.indexer import ModelMismatchError, open_index
from place_search.search.tracks.live import LiveTrack
from place_search.search.tracks.observer import Observer


def test_a_frame_that_does_not_fit_is_refused_and_leaves_the_track_alone(tmp_path: Path) -> None:
    write_index(Generated(200, 64), tmp_path / "index")
    index = open_index(tmp_path / "index")
    observer = Observer(index)
    walk = index.descriptors().take(np.arange(20, 40))
    plain, disturbed, long = (LiveTrack(observer) for _ in range(3))
    for frame in walk:
        for wrong in (np.full(64, np.nan, np.float32), np.ones(32, np.float32), ["a"] * 64):
            with pytest.raises(ModelMismatchError, match="describe the photo with the index's"):
                disturbed.add(wrong)
        state = plain.add(frame)
        np.testing.assert_array_equal(disturbed.add(frame).places, state.places)
        np.testing.assert_allclose(long.add((7 * frame).tolist()).places, state.places, atol=1e-3)
    assert disturbed.count == plain.count == len(walk)
