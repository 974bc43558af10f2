"""An index measures its calibration again when it holds other photos, or many more or fewer."""

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import Result

import place_search
from place_search.models import included_calibration, read_card, write_card
from place_search.search.index_calibration import (
    FILE,
    IndexCalibration,
    checksum_of,
    read_index_calibration,
)
from tests.place_search.conftest import photo

pytestmark = pytest.mark.slow
Run = Callable[..., Result]


def write(folder: Path, places: Iterable[int]) -> Path:
    folder.mkdir(exist_ok=True)
    for place in places:
        photo(place).save(folder / f"{place}.jpg", quality=90)
    return folder


def kept_by(index: Path) -> IndexCalibration:
    kept = read_index_calibration(place_search.open_index(index))
    assert kept is not None
    return kept


def test_it_is_measured_again_when_the_index_has_doubled_or_halved(
    run: Run, plain: Path, tmp_path: Path
) -> None:
    out, photos = tmp_path / "index", write(tmp_path / "photos", range(4))
    assert run("index", photos, "--out", out, "--model", plain).exit_code == 0
    for places, measured in ((7, 4), (8, 8)):
        assert run("add", out, write(photos, range(places)), "--model", plain).exit_code == 0
        assert kept_by(out).places == measured
    for places, measured in ((5, 8), (4, 4)):
        for gone in range(places, 8):
            (photos / f"{gone}.jpg").unlink(missing_ok=True)
        assert run("sync", out, photos, "--model", plain).exit_code == 0
        assert kept_by(out).places == measured


def test_it_is_measured_again_when_its_photos_are_others(
    run: Run, plain: Path, tmp_path: Path
) -> None:
    """An index of other photos, made where one was, kept what the former ones had said."""
    out, photos = tmp_path / "index", write(tmp_path / "photos", range(6))
    command = ("index", photos, "--out", out, "--model", plain)
    assert run(*command).exit_code == 0
    first = kept_by(out)
    for others, changed in ((3, False), (4, True)):
        for place in range(others):
            (photos / f"{place}.jpg").unlink(missing_ok=True)
        write(photos, range(10, 10 + others))
        assert run(*command).exit_code == 0
        assert (kept_by(out) != first) is changed
    assert kept_by(out).places == len(kept_by(out).photos) == 6


def test_one_that_names_no_photos_goes_by_their_number(
    run: Run, plain: Path, tmp_path: Path
) -> None:
    """Files of before name none, nor say for which model they were measured."""
    out = tmp_path / "index"
    command = ("index", "--out", out, "--model", plain)
    assert run(*command, write(tmp_path / "photos", range(3))).exit_code == 0
    of_before = json.loads((out / FILE).read_text("utf-8"))
    del of_before["photos"], of_before["model_had_none"]
    of_before["sha256"] = checksum_of(of_before)
    (out / FILE).write_text(json.dumps(of_before), "utf-8")
    for places, measured in ((5, 3), (6, 6)):
        others = write(tmp_path / f"{places}", range(10, 10 + places))
        assert run(*command, others).exit_code == 0
        assert kept_by(out).places == measured


def test_one_for_lack_of_another_gives_way_and_one_by_hand_stays(
    run: Run, plain: Path, tmp_path: Path
) -> None:
    """What `calibrate PAIRS --keep` had written into the card was in no use."""
    model = shutil.copytree(plain, tmp_path / "model")
    out, photos = tmp_path / "index", write(tmp_path / "photos", range(4))
    assert run("index", photos, "--out", out, "--model", model).exit_code == 0
    by_pairs = replace(included_calibration(), threshold=0.75)
    write_card(replace(read_card(model), calibration=by_pairs), model)

    def threshold() -> float:
        pair, opened = (photos / "2.jpg", photos / "3.jpg"), place_search.open_model(model)
        by_search = place_search.search(out, pair[0], model=opened).match.threshold
        assert place_search.compare(*pair, model=opened, index=out).threshold == by_search
        return by_search

    assert threshold() == 0.75
    before = (out / FILE).read_bytes()
    assert run("add", out, write(photos, range(9)), "--model", model).exit_code == 0
    assert (out / FILE).read_bytes() == before
    assert run("calibrate", out, "--model", model).exit_code == 0
    assert threshold() == kept_by(out).calibration.threshold != 0.75


def test_one_measured_by_hand_is_kept_up_for_a_calibrated_model(run: Run, tmp_path: Path) -> None:
    """`add` and `sync` left what was measured on a few places as it was."""
    out, photos = tmp_path / "index", write(tmp_path / "photos", range(4))
    assert run("index", photos, "--out", out).exit_code == 0
    assert not (out / FILE).exists()
    said = run("calibrate", out, "--json")
    assert json.loads(said.stdout).keys() == {"calibration", "places", "copies"}
    assert run("add", out, write(photos, range(8))).exit_code == 0
    assert kept_by(out).places == 8
