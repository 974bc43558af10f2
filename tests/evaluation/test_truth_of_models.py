"""Truths of camera positions that a model gives, in a frame of its own."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from place_search.evaluation import TruthError, read_places_truth
from tests.evaluation.test_truth_positions import take_at


def kapture_of(folder: Path, centres: Sequence[tuple[float, float, float]]) -> Path:
    """A kapture of photos at these places, all of which look along the third axis."""
    photos = [f"{number:02d}.jpg" for number in range(len(centres))]
    files = {
        "sensors": ["cam, , camera, UNKNOWN_CAMERA, 8, 6"],
        "records_camera": [f"{number}, cam, {name}" for number, name in enumerate(photos)],
        "trajectories": [
            f"{number}, cam, 1, 0, 0, 0, {-x}, {-y}, {-z}"
            for number, (x, y, z) in enumerate(centres)
        ],
    }
    for name in photos:
        path = folder / "sensors" / "records_data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6)).save(path)
    for name, lines in files.items():
        (folder / "sensors" / f"{name}.txt").write_text("\n".join(lines))
    return folder


def test_two_models_of_one_frame_are_on_one_plane(tmp_path: Path) -> None:
    """With y up, as of many cameras: the plane of each by itself lies as that set moved."""
    street = [(10.0 * step, 1.5, 0.0) for step in range(9)]
    corner = [(80.0, 1.5, 10.0 * step) for step in range(1, 9)]
    places = kapture_of(tmp_path / "mapping", [*street, *corner])
    walk = [(x + 1, y, z) for x, y, z in (*street[6:], *corner[:4])]
    truth = read_places_truth(places, kapture_of(tmp_path / "query", walk), 5)
    assert [rows.tolist() for rows in truth.positives] == [[row] for row in range(6, 13)]
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg")
    (tmp_path / "list.csv").write_text("path,easting,northing\na.jpg,0,0\n")
    with pytest.raises(TruthError, match="does not point up, so its metres are not those"):
        read_places_truth(places, tmp_path / "list.csv")


def test_degrees_of_metadata_beside_a_model_without_a_place_on_earth(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "exif").mkdir()
    names = ("a.jpg", "b.jpg", "exif.jpg", "opensfm.jpg")
    for name in names:
        take_at(48.0 if name == "exif.jpg" else None, tmp_path / "images" / name)
    shots = {
        name: {"rotation": [0, 0, 0], "translation": [step, 0, 0]}
        for step, name in enumerate(names[:2])
    }
    (tmp_path / "reconstruction.json").write_text(json.dumps([{"shots": shots}]))
    gps = {"gps": {"latitude": 48.2, "longitude": 11.6}}
    (tmp_path / "exif" / "opensfm.jpg.exif").write_text(json.dumps(gps))
    truth = read_places_truth(tmp_path)
    assert truth.queries == names[:2]
    assert [rows.tolist() for rows in truth.positives] == [[1], [0]]
    assert any(
        warning.startswith("2 photos of") and "such as 'exif.jpg', lost a position" in warning
        for warning in truth.warnings
    )
