"""A calibration that is fitted on searches among photos of known places."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from place_search.cli.app import app
from place_search.models import find_model, open_model, read_card
from place_search.models.graphs.importing import import_onnx
from place_search.models.graphs.options import GraphOptions
from place_search.training import TrainingError, calibrate_on_searches
from tests.training.conftest import Render

PLACES, PHOTOS = 7, 3


@pytest.fixture(scope="module")
def two_towns(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of places in the folders one/ and two/, listed in places.csv."""
    root = tmp_path_factory.mktemp("towns")
    rows = ["image,place"]
    for town, first in (("one", 0), ("two", PLACES)):
        folder = render(PLACES, PHOTOS, first=first, light=0.3)
        shutil.copytree(folder, root / town)
        listed = (folder / "images.csv").read_text("utf-8").splitlines()[1:]
        rows += [f"{town}/{row}" for row in listed]
    (root / "places.csv").write_text("\n".join(rows), "utf-8")
    return root


def test_it_tells_known_places_from_unknown_ones(two_towns: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(find_model(), folder)
    list_of_photos = str(two_towns / "places.csv")
    flags = ["--model", str(folder), "--about", "two towns", "--keep", "--json"]
    made = CliRunner().invoke(app, ["calibrate", list_of_photos, *flags])
    assert made.exit_code == 0, made.output
    assert f"Kept in {folder}. Indexes go by it too" in " ".join(made.stderr.split())
    found = read_card(folder).calibration
    assert found is not None
    assert found.data == "two towns"
    assert json.loads(made.stdout)["among"] == list(found.among)
    assert found.same_pairs > 2 * PLACES * PHOTOS
    assert found.different_pairs > 2 * PLACES * PHOTOS
    assert found.auc > 0.9
    # More agreement, and more similarity than usual, make the same place more probable.
    assert found.weights[3] > 0
    assert all(weight > 0 for weight in (*found.among[:2], *found.unverified[:1]))
    assert max(found.intercept, found.among[2], found.unverified[2]) < 0


def test_one_folder_says_nothing_of_places_that_are_not_there(two_towns: Path) -> None:
    rows = (two_towns / "places.csv").read_text("utf-8").splitlines()
    one = two_towns / "one.csv"
    one.write_text("\n".join(row for row in rows if not row.startswith("two/")), "utf-8")
    with pytest.raises(TrainingError, match=r"has 1 collection of 20 photos or more; .*list two"):
        calibrate_on_searches(open_model(), one, two_towns, data="")


def test_a_graph_without_local_features_is_calibrated_with_its_verifier_s(
    two_towns: Path, tmp_path: Path
) -> None:
    options = GraphOptions(size="320x224", output="descriptor")
    import_onnx(find_model() / "f32.onnx", tmp_path / "graph", options)
    model = open_model(tmp_path / "graph", verify=True)
    fitted = calibrate_on_searches(model, two_towns / "places.csv", two_towns, data="")
    assert fitted.among[0] > 0  # more agreement makes the same place more probable
    assert fitted.auc > 0.9
