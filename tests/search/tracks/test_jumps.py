"""Live tracks whose camera is carried elsewhere, or hardly moves off the known places."""

from pathlib import Path

import numpy as np

from bench.generated import Generated, write_index
from place_search.indexer import open_index
from place_search.search.tracks.live import LiveTrack
from place_search.search.tracks.located import locate
from place_search.search.tracks.observer import SEARCHED_EVERY, Observer


def test_the_index_is_searched_where_a_frame_shows_another_place(tmp_path: Path) -> None:
    write_index(Generated(1200, 256), tmp_path / "index")
    index = open_index(tmp_path / "index")
    # The jump comes right after the frame at which a track that is sure is searched again.
    ways = np.arange(100, 101 + 3 * SEARCHED_EVERY), np.arange(700, 706)
    rng = np.random.default_rng(0)
    shown = index.descriptors().take(np.concatenate(ways))
    frames = shown + rng.normal(0, 0.05 / np.sqrt(256), shown.shape)
    track = LiveTrack(Observer(index))
    found = []
    for frame in frames.astype(np.float32):
        state = track.add(frame)
        found.append(track.observer.routes.row[state.coordinates[state.places.argmax()]])
    before, after = np.split(np.array(found), [len(ways[0])])
    assert before.tolist() == ways[0].tolist()
    assert after[-3:].tolist() == ways[1][-3:].tolist()


def test_a_camera_that_hardly_moves_off_the_known_places_is_at_none(tmp_path: Path) -> None:
    """All of its frames look a little like one place by chance, which a single photo does once."""
    write_index(Generated(1200, 256), tmp_path / "index")
    track = LiveTrack(Observer(open_index(tmp_path / "index")))
    rng = np.random.default_rng(0)
    view, turn = rng.normal(size=(2, 256))
    known = []
    for number in range(120):
        turn = 0.99 * turn + np.sqrt(1 - 0.99**2) * rng.normal(size=256)
        frame = view + 0.1 * turn + 0.1 * rng.normal(size=256)
        state = track.add(np.asarray(frame / np.linalg.norm(frame), np.float32))
        known.append(locate(track.observer, state, number, "").known)
    assert not any(known)
