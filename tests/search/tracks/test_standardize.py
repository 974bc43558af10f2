import numpy as np

from place_search.search.tracks.standardize import Statistics, standards


def test_what_all_frames_share_goes() -> None:
    rng = np.random.default_rng(0)
    places = rng.normal(size=(300, 32)).astype(np.float32)
    night = np.asarray(places[:200] + 3 * rng.normal(size=32), np.float32)
    of_night, of_places = Statistics(32), Statistics(32)
    of_night.add(night)
    of_places.add(places)
    query, database = standards(of_night, of_places)
    assert (np.argmax(query.apply(night) @ database.apply(places).T, axis=1) == range(200)).all()
    np.testing.assert_allclose(np.linalg.norm(query.apply(night), axis=1), 1, rtol=1e-5)


def test_the_first_frame_is_hardly_changed() -> None:
    rng = np.random.default_rng(1)
    places = rng.normal(size=(300, 32)).astype(np.float32)
    frame = places[:1] / np.linalg.norm(places[:1])
    track, database = Statistics(32), Statistics(32)
    track.add(frame)
    database.add(places)
    query, _ = standards(track, database)
    assert float(query.apply(frame)[0] @ frame[0]) > 0.97


def test_equal_frames_and_an_empty_set_do_no_harm() -> None:
    frames = np.full((3, 8), 0.35, np.float32)
    track = Statistics(8)
    assert np.isfinite(track.standard(track.share).apply(frames)).all()
    track.add(frames)
    assert np.isfinite(track.standard(track.share).apply(frames)).all()
