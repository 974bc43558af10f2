import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from place_search.models import (
    ModelError,
    Recall,
    find_model,
    included_calibration,
    open_model,
    read_card,
    write_card,
)
from place_search.models.card import Aggregation, crop_card
from place_search.photos import Photo, Preprocessing

SIDES = st.integers(1, 20_000)


@given(SIDES, SIDES)
def test_area_resize_keeps_the_area_bounded_and_the_sides_whole_cells(
    width: int, height: int
) -> None:
    columns, rows = Preprocessing("area").size(width, height)
    assert columns % 32 == rows % 32 == 0
    assert 0.8 * 640 * 480 <= columns * rows <= 640 * 480  # so never over 1200 cells of 16 × 16


@given(st.integers(500, 4000), st.integers(500, 4000))
def test_area_resize_keeps_the_aspect_ratio(width: int, height: int) -> None:
    columns, rows = Preprocessing("area").size(width, height)
    wanted = min(max(width / height, 1 / 4), 4)
    assert 0.85 <= (columns / rows) / wanted <= 1.15


@given(SIDES, SIDES)
def test_exact_resize_ignores_the_photo(width: int, height: int) -> None:
    assert Preprocessing("exact", 640, 480).size(width, height) == (640, 480)


def test_a_card_survives_writing(tmp_path: Path) -> None:
    card = replace(
        read_card(find_model()),
        recall=(Recall("pitts30k-val", "published", {"1": 85.2, "5": 94.8, "10": 97.0}),),
    )
    without = replace(included_calibration(), precision=None, recall=0.0)
    for written in (card, replace(card, calibration=without)):
        write_card(written, tmp_path)
        assert read_card(tmp_path) == written


def test_a_card_that_cannot_be_kept_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = read_card(find_model())
    write_card(card, tmp_path)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "the disk fails")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="the disk fails"):
        write_card(replace(card, id="other"), tmp_path)
    assert read_card(tmp_path) == card
    assert [file.name for file in tmp_path.iterdir()] == ["card.toml"]


def test_the_fingerprint_follows_weights_and_preprocessing_only() -> None:
    card = read_card(find_model())
    assert replace(card, title="other", recall=()).fingerprint == card.fingerprint
    assert replace(card, preprocessing=Preprocessing("exact")).fingerprint != card.fingerprint
    weights = {**card.files, "weights.safetensors": "0" * 64}
    assert replace(card, files=weights).fingerprint != card.fingerprint


@pytest.mark.parametrize(
    "text",
    [
        *("", "id = 'x'", "[[[", "preprocessing = 3", "id = 'x'\n[preprocessing]\nresize = 1"),
        pytest.param(f"id = {'[' * 100_000}", id="nested"),
    ],
)
def test_a_broken_card_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.toml").write_text(text)
    with pytest.raises(ModelError, match=r"card\.toml is not a usable model card"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("line", "other", "fault"),
    [
        ("dims = 1024", "dims = '1024'", "dims is '1024'"),
        ("dims = 1024", "dims = true", "dims is True"),
        ("dims = 1024", "dims = 0", "dims is 0"),
        ("whitened = true", "whitened = 'no'", "whitened is 'no'"),
        ("dims = 1024", "dims = 1024\nshape = 3", "this version knows no key 'shape'"),
        ("dims = 1024", "dims = 1024\nsaturates = true", "this version knows no key 'saturates'"),
        ('resize = "area"', 'resize = "padded"', "no resize 'padded' is known"),
        (
            'resize = "area"',
            'resize = "area"\nfilter = "cubic"',
            "this version knows no key 'filter'",
        ),
        ("width = 640", "width = 0", "0 is no side of 1 to 16384 pixels"),
        ("height = 480", "height = 480.5", "height is 480.5"),
    ],
)
def test_a_card_of_another_version_is_not_guessed(
    tmp_path: Path, line: str, other: str, fault: str
) -> None:
    text = (find_model() / "card.toml").read_text("utf-8")
    assert line in text
    (tmp_path / "card.toml").write_text(text.replace(line, other, 1), "utf-8")
    sentence = rf"is not a usable model card \({fault}.*\); fetch it again, or update place-search"
    with pytest.raises(ModelError, match=sentence):
        read_card(tmp_path)


def test_the_models_folder_is_told_without_the_links_of_a_checkout() -> None:
    assert find_model().parent == find_model().parent.resolve()


def test_a_renamed_folder_is_found_by_its_card_s_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE_SEARCH_WEIGHTS", str(tmp_path))
    for name in ("renamed", "damaged", "copy"):
        (tmp_path / name).mkdir()
    card = replace(read_card(find_model()), id="mine")
    write_card(card, tmp_path / "renamed")
    (tmp_path / "damaged" / "card.toml").write_text("id =")
    assert find_model("mine") == tmp_path / "renamed"
    write_card(card, tmp_path / "copy")
    with pytest.raises(ModelError, match=r"no model 'mine': .* one of copy, damaged, renamed;"):
        find_model("mine")


def test_a_bare_name_of_two_models_is_refused_though_one_was_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE_SEARCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.chdir(tmp_path)
    for folder in ("weights/renamed", "mine"):
        Path(folder).mkdir(parents=True)
    card = replace(read_card(find_model()), id="mine")
    write_card(card, Path("weights/renamed"))
    write_card(replace(card, title="Another"), Path("mine"))
    with pytest.raises(ModelError, match=r"'mine' is a model in the current folder, .*renamed;"):
        find_model("mine")
    assert find_model("./mine") == find_model(Path("mine")) == Path("mine")
    write_card(card, Path("mine"))  # the same model twice
    assert find_model("mine") == Path("mine")


def test_a_folder_without_a_card_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a model folder"):
        read_card(tmp_path)


def test_how_a_model_was_fitted_follows_from_its_training() -> None:
    card = read_card(find_model("lite0-netvlad"))
    clustered_by_0_1 = {"what": "vocabulary by k-means; not trained on places"}
    for fitting, words in (
        (clustered_by_0_1, "vocabulary by k-means; not trained on places"),
        ({**clustered_by_0_1, "training": {}}, "vocabulary by k-means; then trained on places"),
        ({"what": "vocabulary by k-means"}, "vocabulary by k-means; not trained on places"),
        ({}, None),
    ):
        assert replace(card, fitting=fitting).fitted_in_words == words


def test_a_cropped_model_has_no_figures_of_the_whole_one() -> None:
    card = read_card(find_model("lite0-netvlad-1024"))
    assert card.recall
    assert card.calibration
    fewer = crop_card(card, 256)
    assert (fewer.dims, fewer.recall, fewer.calibration) == (256, (), None)
    assert crop_card(card, card.dims) == card


def test_a_learnt_last_layer_is_no_whitening_to_crop() -> None:
    """MegaLoc's numbers are in no order."""
    card = replace(read_card(find_model()), aggregation=Aggregation("salad"), fitting={})
    match = r"has a learnt last layer, .* cannot be cropped .*whiten PHOTOS\.csv --views`"
    with pytest.raises(ModelError, match=match):
        crop_card(card, 64)
    assert crop_card(replace(card, fitting={"whitening": {}}), 64).dims == 64


def test_a_network_that_changes_loses_what_was_fitted_to_its_descriptors() -> None:
    card = read_card(find_model())
    plain = card.unwhitened()
    assert (card.whitened, plain.whitened) == (True, False)
    assert card.fitting.keys() - plain.fitting.keys() == {"whitening", "directions"}
    assert plain.fitting["what"] == card.fitting["what"]


def test_a_graph_that_is_not_that_of_its_card_is_refused(tmp_path: Path) -> None:
    shutil.copytree(find_model(), tmp_path / "model")
    write_card(replace(read_card(find_model()), dims=1000, whitened=False), tmp_path / "model")
    model = open_model(tmp_path / "model")
    photo = Photo(np.zeros((480, 640, 3), np.uint8), 640, 480)
    with pytest.raises(ModelError, match="gives 1024 numbers, not 1000 as its card says"):
        model.embed(photo)
