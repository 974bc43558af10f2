"""Verification on cells made by the tests: shifts, scales, noise, and photos without structure."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from place_search.models import (
    CODE_BITS,
    Codes,
    Embedding,
    decode_codes,
    encode_features,
    encode_grid,
    project_features,
)
from place_search.models.runtimes.products import FeatureProducts
from place_search.search.matching import compiled
from place_search.search.matching.compiled import NEVER
from place_search.search.matching.mutual import Matches, mutual_matches, nearest, votes
from place_search.search.matching.views import (
    coarse_places,
    coarse_view,
    full_place,
    full_view,
    in_units,
)
from place_search.search.verification import (
    BY_CHANCE,
    IN_FULL,
    Candidates,
    Query,
    Ranking,
    rank_by_geometry,
    verify,
)

Cells = NDArray[np.float32]


def cells(seed: int, height: int = 26, width: int = 46, channels: int = 112) -> Cells:
    """Cells without any likeness to each other."""
    random = np.random.default_rng(seed)
    return random.normal(size=(height, width, channels)).astype(np.float32)


def coded(grid: Cells) -> Codes:
    return encode_features(grid), (grid.shape[0], grid.shape[1])


def test_a_photo_agrees_with_itself_cell_by_cell() -> None:
    grid = cells(0)
    found = verify(Query(grid), coded(grid))
    assert found.inliers == 22 * 42  # all but those at its borders
    np.testing.assert_array_equal(found.matches[:, :2], found.matches[:, 2:])


@settings(max_examples=8)
@given(st.integers(-8, 8), st.integers(-14, 14))
def test_a_shifted_view_is_found_where_it_went(down: int, right: int) -> None:
    scene = cells(1, 50, 80)
    query, place = scene[10:36, 15:61], scene[10 + down : 36 + down, 15 + right : 61 + right]
    found = verify(Query(query), coded(place))
    shared = (22 - abs(down)) * (42 - abs(right))
    assert found.inliers >= 0.9 * shared
    moved = found.matches[:, :2] - found.matches[:, 2:]
    np.testing.assert_allclose(np.median(moved, axis=0), [right, down])


def test_a_nearer_view_is_found_but_scores_less_than_the_same_view() -> None:
    scene = cells(2, 13, 23)
    near = scene.repeat(2, axis=0).repeat(2, axis=1)
    near += 0.4 * cells(3)
    far = np.zeros((26, 46, 112), np.float32)
    far[6:19, 11:34] = scene
    far += 0.4 * cells(4)
    same, nearer = verify(Query(far), coded(far + 0.4 * cells(5))), verify(Query(near), coded(far))
    assert nearer.inliers >= 100
    assert 0 < nearer.score < same.score


def test_a_part_that_was_enlarged_scores_as_if_it_were_not() -> None:
    scene = cells(2, 13, 23)
    enlarged = scene.repeat(2, axis=0).repeat(2, axis=1) + 0.4 * cells(3)
    whole = np.zeros((26, 46, 112), np.float32)
    whole[6:19, 11:34] = scene
    whole += 0.4 * cells(4)
    unknown, known = (verify(Query(enlarged, zoom=zoom), coded(whole)) for zoom in (1.0, 2.0))
    np.testing.assert_array_equal(unknown.matches, known.matches)
    assert known.score > 4 * unknown.score


def test_a_scene_of_two_planes_agrees_as_a_whole() -> None:
    scene = cells(14)
    moved = np.roll(scene, 6, axis=1)
    moved[13:] = np.roll(scene, -6, axis=1)[13:]  # what is near moves the other way
    found = verify(Query(scene), coded(moved))
    assert found.inliers > 0.5 * 22 * 42  # one map alone finds less than a third
    moves = (found.matches[:, 2] - found.matches[:, 0])[:, None] == [6, -6]
    assert moves.mean(axis=0).min() > 0.2


def test_cameras_that_darken_their_corners_agree_in_nothing() -> None:
    """Features at the borders see the padding: alike in all photos of a fisheye lens."""
    one, other, lens = cells(15), cells(16), cells(17)
    inside = np.zeros((26, 46, 1), np.bool_)
    inside[1:-1, 1:-1] = True
    found = verify(Query(np.where(inside, one, lens)), coded(np.where(inside, other, lens)))
    assert found.inliers < 50  # of 140 that are alike


def test_noise_agrees_with_nothing_much() -> None:
    counts = [verify(Query(cells(2 * n)), coded(cells(2 * n + 1))).inliers for n in range(6)]
    assert max(counts) < 30


@pytest.mark.parametrize("grid", [(1, 1), (1, 40), (40, 1), (2, 2), (2, 3)])
@pytest.mark.parametrize("kind", ["empty", "uniform", "random"])
def test_tiny_and_blank_photos_have_a_defined_answer(grid: tuple[int, int], kind: str) -> None:
    blank = {
        "empty": np.zeros((*grid, 112), np.float32),
        "uniform": np.ones((*grid, 112), np.float32),
        "random": cells(6, *grid),
    }[kind]
    for query, place in ((blank, cells(7)), (cells(7), blank), (blank, blank)):
        found = verify(Query(query), coded(place))
        assert found.inliers == len(found.matches)
        assert np.isfinite(found.score)


def test_matches_of_which_none_agree_are_nothing() -> None:
    # A fit through noise can leave no inlier at all; warnings are errors.
    found = [
        rank_by_geometry(
            Query(cells(seed, 13, 17)), candidates_of([cells(seed + 1, 13, 17)] * 13)
        ).order
        for seed in range(0, 400, 2)
    ]
    assert found == [list(range(13))] * 200


def test_a_blank_photo_agrees_with_nothing() -> None:
    for blank in (np.zeros((26, 46, 112), np.float32), np.ones((26, 46, 112), np.float32)):
        assert verify(Query(blank), coded(cells(8))).inliers < 30


def test_a_blank_photo_is_known_by_its_features_and_by_its_codes() -> None:
    for scene, blank in ((np.ones((26, 46, 112), np.float32), True), (cells(8), False)):
        assert Query(scene).is_blank is blank
        assert Query.of_codes(coded(scene)).is_blank is blank
    nothing = verify(Query(np.zeros((26, 46, 112), np.float32)), coded(cells(8)))
    assert (nothing.inliers, nothing.score, len(nothing.matches)) == (0, 0.0, 0)


def test_a_vgg_grid_of_512_channels_works_too() -> None:
    grid = cells(9, 30, 40, 512)
    assert verify(Query(grid), coded(grid + 0.5 * cells(10, 30, 40, 512))).inliers > 900


def candidates_of(places: list[Cells]) -> Candidates:
    """Candidates of equal similarity."""
    return Candidates([1.0] * len(places), lambda row: coded(places[row]))


def test_few_candidates_are_all_matched_in_full() -> None:
    places = [cells(seed, 10, 12) for seed in range(6)]
    query = Query(places[3])
    ranking = rank_by_geometry(query, candidates_of(places))
    alone = [verify(query, coded(grid)) for grid in places]
    assert ranking.order == sorted(range(6), key=lambda row: -alone[row].score)
    assert ranking.order[0] == 3
    assert {row: one.score for row, one in ranking.verifications.items()} == {
        row: one.score for row, one in enumerate(alone)
    }
    assert ranking.late == 0


def test_of_many_candidates_the_most_alike_are_matched_in_full_and_none_is_lost() -> None:
    places = [cells(seed) for seed in range(40)]
    # Last of all by similarity: the same view, much disturbed.
    places.append(places[0] + cells(50))
    ranking = rank_by_geometry(Query(places[0]), candidates_of(places))
    assert ranking.order[:2] == [0, 40]
    assert sorted(ranking.order) == list(range(41))
    assert set(ranking.verifications) == set(ranking.order[:IN_FULL])
    assert len(rank_by_geometry(Query(places[0]), candidates_of(places), 30).verifications) == 30


def test_candidates_far_behind_the_best_are_not_matched_in_full() -> None:
    places = [cells(seed, 13, 17) for seed in range(82)]
    unlike = rank_by_geometry(Query(cells(90, 13, 17)), candidates_of(places))
    assert len(unlike.verifications) == 16
    alike = rank_by_geometry(Query(places[81]), candidates_of(places))
    assert alike.order[0] == 81
    assert len(alike.verifications) == IN_FULL


def test_where_nothing_agrees_similarity_decides() -> None:
    noise = candidates_of([cells(seed) for seed in range(1, 31)])
    ranking = rank_by_geometry(Query(cells(0)), noise)
    assert {found.score for found in ranking.verifications.values()} == {0.0}
    assert ranking.order[:3] == [0, 1, 2]
    assert ranking.order[:IN_FULL] == sorted(ranking.order[:IN_FULL])


def test_candidates_without_agreement_keep_the_order_of_their_similarity() -> None:
    blank = np.zeros((26, 46, 112), np.float32)
    ranking = rank_by_geometry(Query(blank), candidates_of([cells(seed) for seed in range(20)]))
    assert ranking.order == list(range(20))


def test_candidates_whose_turn_comes_too_late_are_counted_and_come_last() -> None:
    for count in (6, 20):
        candidates = candidates_of([cells(seed, 10, 12) for seed in range(count)])
        ranking = rank_by_geometry(Query(cells(3, 10, 12)), candidates, budget_s=-1)
        assert ranking == Ranking(list(range(count)), {}, count)


@pytest.mark.parametrize("bits", [8, 56, CODE_BITS])
def test_products_are_exact(bits: int) -> None:
    random = np.random.default_rng(11)
    one, other = random.integers(-127, 128, (2, 300, bits), np.int8)
    found = FeatureProducts(bits)(one, other)
    np.testing.assert_array_equal(found, one.astype(np.int64) @ other.astype(np.int64).T)


def test_nine_products_fit_whatever_the_cells_are() -> None:
    signs = np.ones((1, CODE_BITS), np.float32)
    flat = np.full((1, CODE_BITS), np.float32(1 + 1 / 64 - 1e-4))  # rounded up the most
    for features in (signs, flat):
        assert np.abs(in_units(features)).sum(dtype=int) * 9 < np.iinfo(np.int16).max


@pytest.mark.parametrize("grids", [((13, 17), (9, 21)), ((3, 5), (30, 40)), ((1, 4), (4, 1))])
def test_matches_are_those_of_all_pairs_and_their_neighbours(
    grids: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    one, other = cells(20, *grids[0]), cells(21, *grids[1])
    codes = encode_features(other)
    found = mutual_matches(full_view(project_features(one)), full_place((codes, grids[1])))
    pairs = set(map(tuple, np.hstack([found.query, found.other]).tolist()))
    assert pairs == slow_matches(one, codes, grids[1])


@pytest.mark.parametrize("grids", [((26, 46), (26, 46)), ((13, 17), (9, 21)), ((1, 1), (2, 1))])
@pytest.mark.parametrize("coarse", [True, False])
@pytest.mark.parametrize("bits", [8, 56, None])
def test_what_is_compiled_finds_what_numpy_finds(
    grids: tuple[tuple[int, int], tuple[int, int]], coarse: bool, bits: int | None
) -> None:
    one = cells(22, *grids[0])
    directions = None if bits is None else cells(27, 1, one.shape[2], bits)[0]
    projected = project_features(one, directions)
    codes = [encode_features(cells(seed, *grids[1]), directions) for seed in (22, 23, 24)]
    if coarse:
        query, places = coarse_view(projected), coarse_places(codes, grids[1])
    else:
        query, places = full_view(projected), full_place((codes[0], grids[1]))
    fast, slow = compiled.nearest(query, places), nearest(query, places)
    if fast is None:
        pytest.skip("nothing is compiled here")
    features = slow.query > NEVER
    np.testing.assert_array_equal(fast.place[features], slow.place[features])
    np.testing.assert_array_equal(fast.query, slow.query)
    np.testing.assert_array_equal(fast.most, slow.most)


def test_codes_by_other_directions_are_compared_with_their_like_alone() -> None:
    directions = cells(27, 1, 112, 56)[0]
    scene = cells(25)
    other = encode_features(scene + cells(26), directions), (scene.shape[0], scene.shape[1])
    found = verify(Query(scene, directions), other)
    again = verify(Query.of_codes((encode_features(scene, directions), other[1])), other)
    assert min(found.inliers, again.inliers) > 100
    with pytest.raises(ValueError, match="112 bits has no match among codes of 56"):
        verify(Query(scene), other)


def test_what_is_compiled_can_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = cells(25)
    before = verify(Query(scene), coded(scene + cells(26)))
    monkeypatch.setattr(compiled, "_library", lambda: None)
    after = verify(Query(scene), coded(scene + cells(26)))
    assert before[:3] == after[:3]
    np.testing.assert_array_equal(before.matches, after.matches)


def slow_matches(
    one: Cells, codes: NDArray[np.uint8], grid: tuple[int, int]
) -> set[tuple[int, ...]]:
    """Mutual nearest neighbours by the definition: x, y in one photo and in the other.

    A twelfth of the shorter side of each is left out all around.
    """
    units = in_units(project_features(one) * np.float32(CODE_BITS**0.5)).astype(np.float64)
    alike = np.einsum("abc,dec->abde", units, decode_codes(codes).reshape(*grid, CODE_BITS))
    padded = np.pad(alike, 1)
    sums = np.zeros_like(alike)
    height, width, tall, wide = alike.shape
    for down in range(3):
        for right in range(3):
            sums += padded[
                down : down + height,
                right : right + width,
                down : down + tall,
                right : right + wide,
            ]
    flat = sums.reshape(height * width, tall * wide)
    nearest, back = flat.argmax(axis=1), flat.max(axis=0)
    edge, other_edge = min(height, width) // 12, min(tall, wide) // 12
    return {
        (at % width, at // width, int(to) % wide, int(to) // wide)
        for at, to in enumerate(nearest)
        if flat[at, to] >= back[to]
        and flat[at, to] > 0
        and edge <= at % width < width - edge
        and edge <= at // width < height - edge
        and other_edge <= to % wide < wide - other_edge
        and other_edge <= to // wide < tall - other_edge
    }


def test_places_that_are_matched_together_do_not_touch() -> None:
    query = coarse_view(project_features(cells(30)))
    codes = [encode_features(cells(seed)) for seed in (31, 32, 33)]
    together = mutual_matches(query, coarse_places(codes, (26, 46)))
    for number, one in enumerate(codes):
        alone = mutual_matches(query, coarse_places([one], (26, 46)))
        own = together.place == number
        np.testing.assert_array_equal(together.query[own], alone.query)
        np.testing.assert_array_equal(together.other[own], alone.other)


@pytest.mark.parametrize("scale", [0.75, 1.0, 1.33])
def test_a_view_from_nearer_or_farther_gets_votes(scale: float) -> None:
    y, x = np.mgrid[:13, :23].reshape(2, -1)
    query = np.stack([x, y], axis=1)
    other = np.rint(query * scale + [3, -2]).astype(np.intp)
    place = np.zeros(len(query), np.intp)
    found = votes(Matches(2, place, query, other, np.ones(len(query), np.float32)), (13, 23))
    assert found[0] > 0.95 * len(query)
    assert found[1] == 0


def test_a_fresh_process_verifies_in_many_threads_at_once() -> None:
    # OpenVINO's binding could wait for itself for ever when its first two inferences met.
    program = """
import numpy as np
from place_search.models import encode_features
from place_search.search.verification import Query, rank_by_geometry
cells = np.random.default_rng(0).normal(size=(12, 12, 112)).astype(np.float32)
place = encode_features(cells), (12, 12)
class Same:
    similarities = [1.0] * 40
    def codes(self, row):
        return place
print(len(rank_by_geometry(Query(cells), Same()).verifications))
"""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == str(IN_FULL)


@pytest.mark.parametrize("in_query", [True, False])
def test_black_frames_match_nothing(in_query: bool) -> None:
    """Two photos of different scenes have the same cells around them."""
    frame = np.ones((26, 46), np.bool_)
    frame[6:-6, 6:-6] = False
    one, other = cells(1), cells(2)
    other[frame] = one[frame]
    assert verify(Query(one), coded(other)).inliers > 100
    hidden = Embedding(np.ones(1, np.float32), one if in_query else other, black_frame=frame)
    query, place = (
        (Query.of(hidden), coded(other)) if in_query else (Query(one), encode_grid(hidden))
    )
    found = verify(query, place)
    assert found.inliers <= BY_CHANCE
    x, y = found.matches.reshape(-1, 2, 2)[:, 0 if in_query else 1].T.astype(int)
    assert not frame[y, x].any()
    whole = verify(Query.of_codes(encode_grid(hidden)), coded(hidden.require_local_features()))
    assert whole.inliers == whole.mutual > 200, "what the frame surrounds still matches"
