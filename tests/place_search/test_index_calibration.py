"""An index measures a calibration for a model that has none."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import Result

import place_search
from place_search.core.errors import PlaceSearchError
from place_search.models import included_calibration
from place_search.search.calibrating import measure
from place_search.search.calibrating.measure import (
    AGREEMENT,
    SIMILARITY,
    Level,
    Scale,
    scaled,
)
from place_search.search.index_calibration import FILE, checksum_of, read_index_calibration
from place_search.search.probability import candidate_probabilities
from place_search.search.verification import NOTHING, Verification
from tests.place_search.conftest import photo

pytestmark = pytest.mark.slow  # each is about an index that a module fixture makes
Run = Callable[..., Result]
PLACES = 20

levels = st.builds(Level, st.floats(-0.2, 0.8), st.floats(0.05, 0.9), st.floats(0.01, 0.5))


@pytest.fixture(scope="module")
def made(
    run: Run, plain: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, Result]:
    """Photos, their index by that model, and what `index` said."""
    base = tmp_path_factory.mktemp("made")
    (base / "photos").mkdir()
    for place in range(PLACES):
        photo(place).save(base / "photos" / f"{place:02d}.jpg", quality=90)
    said = run("index", base / "photos", "--out", base / "index", "--model", plain)
    return base / "photos", base / "index", said


def query(place: int) -> bytes:
    out = io.BytesIO()
    photo(place).crop((10, 10, 470, 350)).save(out, "JPEG", quality=80)
    return out.getvalue()


def test_an_index_of_fewer_numbers_measures_its_own(
    run: Run, made: tuple[Path, Path, Result], tmp_path: Path
) -> None:
    """By that of all numbers, 16 numbers made anything look known."""
    photos, _, _ = made
    assert run("index", photos, "--out", tmp_path / "index", "--dims", "16").exit_code == 0
    index = place_search.open_index(tmp_path / "index")
    assert read_index_calibration(index) is not None
    for place in range(100, 110):
        found = place_search.search(index, query(place), verify=False)
        assert found.match.verdict != "found"


@given(levels)
def test_the_levels_of_a_model_become_those_of_the_included_one(measured: Level) -> None:
    factor, shift = Scale.onto(measured, SIMILARITY)
    assert factor * measured.unrelated + shift == pytest.approx(SIMILARITY.unrelated)
    by_gap, by_spread = factor * measured.gap, factor * measured.spread
    assert by_gap <= SIMILARITY.gap * (1 + 1e-9)
    assert by_spread <= SIMILARITY.spread * (1 + 1e-9)
    assert pytest.approx(1) in (by_gap / SIMILARITY.gap, by_spread / SIMILARITY.spread)


@given(levels, st.floats(0, 1), st.integers(0, 400), st.integers(1, 40))
def test_scaled_weights_say_of_a_model_what_the_included_ones_say(
    measured: Level, where: float, inliers: int, candidates: int
) -> None:
    scale, base = Scale.onto(measured, SIMILARITY), included_calibration()
    other = scaled(base, scale, Scale(1.0, 0.0))
    found = Verification(inliers, 400, 0.0, NOTHING.matches)
    similar = [measured.unrelated + where * measured.gap]
    usual = [measured.unrelated] * candidates
    theirs = [scale.factor * similar[0] + scale.shift]
    their_usual = [scale.factor * one + scale.shift for one in usual]
    for verification in (found, None):
        ours = candidate_probabilities(other, similar, [verification], usual)
        same = candidate_probabilities(base, theirs, [verification], their_usual)
        assert ours == pytest.approx(same, abs=1e-6)


def test_an_included_model_needs_no_scale() -> None:
    base, one = included_calibration(), Scale.onto(SIMILARITY, SIMILARITY)
    assert scaled(base, one, Scale.onto(AGREEMENT, AGREEMENT)) == base


def test_indexing_calibrates_a_model_that_has_no_calibration(
    made: tuple[Path, Path, Result], plain: Path
) -> None:
    _, folder, said = made
    assert said.exit_code == 0, said.output
    kept = read_index_calibration(place_search.open_index(folder))
    assert kept is not None
    assert (kept.places, kept.copies) == (PLACES, 24)
    assert "24 altered copies of 20 places" in said.stderr
    assert "20 places are little to go by" in said.stderr
    assert kept.calibration.auc > 0.9
    model = place_search.open_model(plain)
    here = place_search.search(folder, query(3), model=model)
    assert (here.results[0].name, here.match.verdict) == ("03.jpg", "found")
    assert here.match.threshold == kept.calibration.threshold
    for verify in (True, False):
        elsewhere = place_search.search(folder, query(50), model=model, verify=verify)
        assert elsewhere.match.verdict != "found"


def test_two_photos_are_compared_as_an_index_searches(
    made: tuple[Path, Path, Result], run: Run, plain: Path, tmp_path: Path
) -> None:
    photos, folder, _ = made
    kept = read_index_calibration(place_search.open_index(folder))
    assert kept is not None
    (tmp_path / "query.jpg").write_bytes(query(3))
    pair = tmp_path / "query.jpg", photos / "04.jpg"
    borrowed = place_search.compare(*pair, model=plain)
    assert "has no calibration" in borrowed.notes[0]
    here = place_search.compare(*pair, model=plain, index=folder)
    assert (here.notes, here.threshold) == ((), round(kept.calibration.threshold, 6))
    assert here.probability != borrowed.probability
    opened = place_search.open_index(folder)
    assert place_search.compare(*pair, model=plain, index=opened) == here
    said = run("compare", *pair, "--index", folder, "--model", plain, "--json")
    assert json.loads(said.stdout) == here.to_dict()
    other = run("compare", *pair, "--index", folder, "--model", "lite0-netvlad")
    assert other.exit_code == 1
    assert "was made with model 'plain'" in other.stderr
    with pytest.raises(PlaceSearchError, match="was made with model 'plain'"):
        place_search.compare(*pair, model="lite0-netvlad", index=folder)


def test_compare_takes_the_model_of_an_index(run: Run, index: Path, photos: Path) -> None:
    pair = photos / "queries" / "1.jpg", photos / "places" / "1.jpg"
    said = run("compare", *pair, "--index", index, "--json")
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout) == place_search.compare(*pair, index=index).to_dict()
    assert run("compare", *pair, "--json").exit_code == 0
    missing = run("compare", *pair, "--index", photos)
    assert (missing.exit_code, missing.stdout) == (1, "")


def test_a_calibrated_model_brings_its_own(index: Path) -> None:
    assert not (index / FILE).exists()


def test_calibrate_measures_again_and_says_how_little_it_knows(
    made: tuple[Path, Path, Result], run: Run, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder, _ = made
    before = (folder / FILE).read_bytes()
    (folder / FILE).unlink()
    borrowed = place_search.search(folder, query(3), model=plain)
    monkeypatch.setenv("PLACE_SEARCH_PRECISION", "f32")  # for all commands that it is for
    said = run("calibrate", folder, "--model", plain)
    assert said.exit_code == 0, said.output
    assert "20 places are little to go by" in said.stdout
    assert "has no calibration" in borrowed.query.notes[0]
    assert place_search.search(folder, query(3), model=plain).query.notes == ()
    assert (folder / FILE).read_bytes() == before
    printed = json.loads(run("calibrate", folder, "--model", plain, "--json").stdout)
    assert printed["calibration"]["same_pairs"] == 24
    assert place_search.calibrate(folder, model=plain).copies == 24


def test_an_evaluation_says_whose_calibration_it_took(
    made: tuple[Path, Path, Result], run: Run, plain: Path, tmp_path: Path
) -> None:
    photos, folder, _ = made
    for place in (3, 50):
        (photos / f"query_{place}.jpg").write_bytes(query(place))
    lines = ["query,positives", "query_3.jpg,03.jpg", "query_50.jpg,"]
    (tmp_path / "truth.csv").write_text("\n".join(lines), "utf-8")
    places = ["path", *(f"{place:02d}.jpg" for place in range(PLACES))]
    (tmp_path / "places.csv").write_text("\n".join(places), "utf-8")
    told = {}
    for more in ([], ["--index", folder]):
        said = run(
            *("eval", "--truth", tmp_path / "truth.csv", "--root", photos),
            *("--database", tmp_path / "places.csv"),
            *("--model", plain, "--verify", "--open-set", "--json", *more),
        )
        told[bool(more)] = said
    for place in (3, 50):
        (photos / f"query_{place}.jpg").unlink()
    borrowed, own = told[False], told[True]
    assert "has no calibration" in json.loads(borrowed.stdout)["warnings"][-1]
    assert own.exit_code == 0, own.stderr
    assert json.loads(own.stdout)["warnings"] == []
    assert json.loads(own.stdout)["open_set"]["false_found"] == 0.0


def test_thumbnails_stand_in_for_photos_that_are_gone(
    made: tuple[Path, Path, Result], plain: Path, tmp_path: Path
) -> None:
    photos, folder, _ = made
    photos.rename(tmp_path / "elsewhere")
    try:
        measured = place_search.calibrate(folder, model=plain)
    finally:
        (tmp_path / "elsewhere").rename(photos)
    assert measured.calibration.auc > 0.9
    place_search.calibrate(folder, model=plain)


def test_thumbnails_stand_in_for_photos_that_are_others_by_now(
    made: tuple[Path, Path, Result], plain: Path, tmp_path: Path
) -> None:
    """The index describes what was there: what lies there now shows other places."""
    photos, folder, _ = made
    photos.rename(tmp_path / "elsewhere")
    try:
        gone = place_search.calibrate(folder, model=plain)
        photos.mkdir()
        for place in range(PLACES):
            photo(place + 500).save(photos / f"{place:02d}.jpg", quality=90)
        replaced = place_search.calibrate(folder, model=plain)
    finally:
        shutil.rmtree(photos, ignore_errors=True)
        (tmp_path / "elsewhere").rename(photos)
    assert replaced == gone
    assert place_search.calibrate(folder, model=plain) != gone


def test_photos_of_one_place_are_not_taken_for_unrelated_ones(
    run: Run, plain: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for shift in range(8):
        view = photo(1).crop((4 * shift, 0, 440 + 4 * shift, 360))
        view.save(tmp_path / "photos" / f"{shift}.jpg", quality=90)
    out = tmp_path / "index"
    assert run("index", tmp_path / "photos", "--out", out, "--model", plain).exit_code == 0
    reply = place_search.search(out, query(1), model=plain)
    assert reply.match.verdict in ("found", "unsure")
    assert place_search.search(out, query(2), model=plain).match.verdict == "not_found"


def test_a_damaged_calibration_is_said_and_one_of_another_model_ignored(
    made: tuple[Path, Path, Result], run: Run, plain: Path, tmp_path: Path
) -> None:
    _, folder, _ = made
    copy = tmp_path / "index"
    shutil.copytree(folder, copy)
    kept = json.loads((copy / FILE).read_text("utf-8"))
    (copy / FILE).write_text("{", "utf-8")
    with pytest.raises(PlaceSearchError, match="measure again with `place-search calibrate"):
        place_search.search(copy, query(3), model=plain)
    others = {**kept, "fingerprint": "0"}
    others["sha256"] = checksum_of(others)
    (copy / FILE).write_text(json.dumps(others), "utf-8")
    assert read_index_calibration(place_search.open_index(copy)) is None
    (copy / FILE).write_text(json.dumps({**kept, "format": 2}), "utf-8")
    with pytest.raises(PlaceSearchError, match="newer place-search"):
        place_search.search(copy, query(3), model=plain)
    assert run("calibrate", copy, "--model", plain).exit_code == 0
    assert place_search.search(copy, query(3), model=plain).results[0].name == "03.jpg"


@pytest.mark.parametrize("damage", ["a digit", "the end"])
def test_verify_looks_at_the_calibration_and_repair_measures_it_again(
    made: tuple[Path, Path, Result], run: Run, plain: Path, tmp_path: Path, damage: str
) -> None:
    _, folder, _ = made
    copy = tmp_path / "index"
    shutil.copytree(folder, copy)
    whole = (copy / FILE).read_text("utf-8")
    damaged = (
        whole[:-20] if damage == "the end" else whole.replace('"intercept": -', '"intercept": -9')
    )
    (copy / FILE).write_text(damaged, "utf-8")
    said = run("verify", copy)
    assert said.exit_code == 1
    assert "calibration.json is damaged; measure again" in " ".join(said.stderr.split())
    assert json.loads(run("verify", copy, "--json").stdout)["problems"][0]["file"] == FILE
    with pytest.raises(PlaceSearchError, match="damaged; measure again"):
        place_search.search(copy, query(3), model=plain)
    repaired = run("verify", copy, "--repair", "--model", plain, "--json")
    assert json.loads(repaired.stdout)["repaired"] == [FILE]
    assert (copy / FILE).read_text("utf-8") == whole
    assert run("verify", copy).exit_code == 0


@pytest.mark.parametrize("places", [[5], [5, 5, 5]])
def test_what_one_place_cannot_say_is_not_made_up(
    run: Run, plain: Path, tmp_path: Path, places: list[int]
) -> None:
    """An index of one place kept the included model's calibration as if it had measured it."""
    (tmp_path / "photos").mkdir()
    for number, place in enumerate(places):
        photo(place).resize((480 - number, 360)).save(tmp_path / "photos" / f"{number}.jpg")
    out = tmp_path / "index"
    said = run("index", tmp_path / "photos", "--out", out, "--model", plain)
    assert said.exit_code == 0
    assert "so nothing was measured" in " ".join(said.stderr.split())
    assert not (out / FILE).exists()
    assert "so nothing was measured" in run("calibrate", out, "--model", plain).stderr
    alone = place_search.search(out, query(5), model=plain, verify=False)
    assert "a guess by that of the included model" in alone.query.notes[0]
    assert "where the index has photos of several places" in alone.query.notes[0]
    assert (alone.match.verdict, alone.match.probability) == ("unsure", 0.5)
    assert place_search.search(out, query(5), model=plain).match.verdict == "found"


def test_labelled_pairs_and_an_index_are_not_mixed_up(
    made: tuple[Path, Path, Result], run: Run, tmp_path: Path
) -> None:
    _, folder, _ = made
    said = run("calibrate", folder, "--keep")
    assert said.exit_code == 2
    assert "only works with PAIRS or PLACES" in said.stderr
    said = run("calibrate", folder, "--precision", "f32")
    assert said.exit_code == 2
    assert "only works with PAIRS or PLACES" in said.stderr
    assert "does not exist" in run("calibrate", tmp_path / "pairs.csv").stderr
    (tmp_path / "pairs.csv").write_text("photo1,photo2,same\n", "utf-8")
    assert run("calibrate", tmp_path / "pairs.csv").exit_code == 2


@pytest.mark.torch
def test_a_list_to_index_is_neither_pairs_nor_places(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,latitude,longitude\nx.jpg,1,2\n", "utf-8")
    said = run("calibrate", tmp_path / "list.csv")
    assert "lacks the column place: its first row must name the columns" in said.stderr


def test_ctrl_c_while_calibrating_loses_no_fields(
    run: Run, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "calibrate_index", interrupted)
    table, index = tmp_path / "list.csv", tmp_path / "index"
    rows = ["path,latitude,longitude,floor"]
    for place, words in enumerate((("index", table, "--out", index), ("add", index, table))):
        photo(place).save(tmp_path / f"{place}.jpg")
        rows.append(f"{place}.jpg,48,11,{place}")
        table.write_text("\n".join(rows), "utf-8")
        done = run(*words, "--model", plain)
        assert "Interrupted" in done.stderr
        assert dict(place_search.open_index(index).place(place).fields) == {"floor": place}
