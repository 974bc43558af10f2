"""A whitening of views: against its formula, on real photos, and in 8 bits."""

from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
import torch
from numpy.typing import NDArray
from openvino import opset13 as opset
from PIL import Image
from typer.testing import CliRunner

from place_search.cli.app import app
from place_search.models import UNWHITENED_MODEL, encode_grid, open_model, read_card
from place_search.models.layers import ByteLinear
from place_search.models.quantize import _keep_bytes
from place_search.training import TrainingError, whiten, whitening
from place_search.training.data.viewed_photos import ViewedPhoto, read_viewed_photos
from place_search.training.view_whitening import (
    FEATURES_A_VIEW,
    FLOOR,
    SPREAD_POWER,
    VIEWS,
    WITHIN_POWER,
    describe_views,
    fit_directions,
    fit_view_whitening,
    views_of,
)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitening, "MIN_SAMPLES", 8)


def drawn(photos: int, width: int) -> NDArray[np.float16]:
    """Descriptors whose views differ along few directions."""
    random = np.random.default_rng(photos)
    places = random.normal(size=(photos, 1, width))
    light = random.normal(size=(photos, VIEWS, 3)) @ random.normal(size=(3, width)) * 2
    return (0.1 * (places + light + 0.2 * random.normal(size=light.shape))).astype(np.float16)


def test_the_fit_follows_its_formula() -> None:
    descriptors = drawn(300, 24)
    fit = fit_view_whitening(descriptors, 10)
    x = descriptors.reshape(-1, 24).astype(float)
    mean = x.mean(axis=0)
    spread = (x - mean).T @ (x - mean) / len(x)
    apart = (descriptors - descriptors.astype(float).mean(axis=1, keepdims=True)).reshape(-1, 24)
    within = apart.T @ apart / (300 * (VIEWS - 1))
    values, vectors = np.linalg.eigh(within)
    calmed = vectors * (values + FLOOR * values.mean()) ** -WITHIN_POWER
    left, chosen = np.linalg.eigh(calmed.T @ spread @ calmed)
    matrix = (calmed @ (chosen * left**-SPREAD_POWER)).T[::-1][:10]
    matrix /= np.linalg.norm(matrix, axis=1).mean()
    # Eigenvectors are unique up to their sign.
    np.testing.assert_allclose(
        np.abs((fit.matrix * matrix).sum(axis=1)), (matrix**2).sum(axis=1), rtol=1e-5
    )
    np.testing.assert_allclose(fit.offset, -fit.matrix @ mean, atol=1e-6)
    assert (fit.samples, fit.matrix.shape) == (300 * VIEWS, (10, 24))


def test_what_views_share_counts_for_more_than_what_they_do_not() -> None:
    descriptors = drawn(300, 24)
    fit = fit_view_whitening(descriptors, 24)
    before, after = (
        np.square(values - values.mean(axis=1, keepdims=True)).sum() / np.square(values).sum()
        for values in (
            descriptors.astype(float),
            descriptors.astype(float) @ fit.matrix.T + fit.offset,
        )
    )
    assert after < 0.75 * before


def test_too_few_views_and_too_many_dimensions_are_refused(few: None) -> None:
    with pytest.raises(TrainingError, match=r"15 views are too few .* 8 .* need 16"):
        fit_view_whitening(drawn(3, 24), 8)
    with pytest.raises(TrainingError, match="have 24 dimensions"):
        fit_view_whitening(drawn(30, 24), 25)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small photos and the table that names them."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(3)
    for number in range(3):
        blocks = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(blocks).resize((160, 120), Image.Resampling.NEAREST)
        picture.save(folder / f"{number}.png")
    (folder / "photos.csv").write_text("image,crops\n0.png,1\n1.png,0\n2.png,\n")
    return folder


def test_a_model_is_whitened_by_views_of_photos(photos: Path, tmp_path: Path, few: None) -> None:
    table = photos / "photos.csv"
    listed = read_viewed_photos(table, photos)
    assert listed == [ViewedPhoto(photos / f"{n}.png", crops) for n, crops in enumerate((1, 0, 0))]
    assert views_of(listed) == 4 * VIEWS
    plain = open_model(UNWHITENED_MODEL)
    described = describe_views(listed, plain)
    assert described.descriptors.shape == (4, VIEWS, plain.card.dims)
    again = describe_views(listed, plain)
    np.testing.assert_array_equal(described.descriptors, again.descriptors)
    assert described.local_features is not None
    assert described.local_features.shape == (4 * VIEWS * FEATURES_A_VIEW, 112)
    norms = np.linalg.norm(described.local_features.astype(float), axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-2)
    np.testing.assert_array_equal(described.local_features, again.local_features)
    whole = plain.embed(plain.read(photos / "1.png")).descriptor
    np.testing.assert_allclose(described.descriptors[2, 0], whole, atol=1e-3)

    card = whiten(table, tmp_path / "white", dims=6, model="lite0-netvlad", views=True)
    assert card == read_card(tmp_path / "white")
    assert (card.whitened, card.dims) == (True, 6)
    assert card.fitting["whitening"]["what"].startswith("views of 3 photos")
    fit = fit_view_whitening(described.descriptors, 6)
    photo = plain.read(photos / "2.png")
    expected = fit.matrix @ plain.embed(photo).descriptor + fit.offset
    expected /= np.linalg.norm(expected)
    by_openvino = open_model(tmp_path / "white").embed(photo)
    assert by_openvino.descriptor @ expected > 0.999
    by_torch = open_model(tmp_path / "white", runtime="torch").embed(photo)
    np.testing.assert_allclose(by_openvino.descriptor, by_torch.descriptor, atol=1e-4)
    weights = (tmp_path / "white" / "weights.safetensors").read_bytes()
    assert len(weights) < 3_200_000

    assert card.fitting["directions"]["what"].startswith("principal directions")
    # So are the directions of its local features, whose codes are half as long.
    directions = fit_directions(described.local_features)
    model = open_model(tmp_path / "white")
    assert directions is not None
    np.testing.assert_array_equal(model.directions, directions)
    assert (directions.shape, model.code_bytes) == ((112, 56), 7)
    made = model.embed(photo)
    codes, grid = encode_grid(made)
    assert codes.shape == (grid[0] * grid[1], 7)
    np.testing.assert_array_equal(codes, encode_grid(made._replace(directions=directions))[0])

    anew = whiten(table, tmp_path / "anew", dims=6, model=tmp_path / "white", views=True)
    assert anew.title == card.title
    assert (tmp_path / "anew" / "weights.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--views", "--dims", "600"], "20 views of these photos are too few"),
        (["--root", "."], "give --views with it"),
    ],
)
def test_the_command_says_what_does_not_go_together(
    photos: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    table = str(photos / "photos.csv")
    done = CliRunner().invoke(app, ["whiten", table, "--out", str(tmp_path / "white"), *arguments])
    assert done.exit_code == 1
    assert sentence in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_crops_are_whole_numbers(tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("image,crops\na.jpg,-1\n")
    with pytest.raises(TrainingError, match="says '-1' under crops in row 2"):
        read_viewed_photos(tmp_path / "photos.csv", tmp_path)


def test_crops_that_are_misspelt_are_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("image,crop\na.jpg,3\n")
    with pytest.raises(TrainingError, match=r"names the column crop, .* call it crops if"):
        read_viewed_photos(tmp_path / "photos.csv", tmp_path)


def test_a_photo_stands_once_in_a_list(tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("image,crops\na.jpg,1\nb.jpg,1\na.jpg,1\n")
    with pytest.raises(TrainingError, match=r"names 'a\.jpg' twice, in rows 2 and 4"):
        read_viewed_photos(tmp_path / "photos.csv", tmp_path)


def test_a_layer_of_bytes_is_as_near_as_eight_bits_can_be() -> None:
    torch.manual_seed(0)
    matrix, bias = torch.randn(20, 50), torch.randn(20)
    layer = ByteLinear.of(matrix, bias)
    assert layer.weight.dtype == torch.int8
    kept = layer.weight.float() * layer.scale
    assert ((kept - matrix).abs() <= layer.scale / 2 * 1.0001).all()
    rows = torch.randn(3, 50)
    torch.testing.assert_close(layer(rows), rows @ kept.T + bias)


def test_a_folded_matrix_of_bytes_is_kept_in_bytes_again() -> None:
    random = np.random.default_rng(0)
    numbers = random.integers(-127, 128, (1024, 1024)).astype(np.int8)
    numbers[:, 0] = 127
    scale = random.uniform(0.01, 1, (1024, 1)).astype(np.float32)
    rows = opset.parameter([1, 1024], np.float32)
    row = random.normal(size=(1, 1024)).astype(np.float32)

    def graph(matrix: NDArray[np.float32]) -> Any:
        product = opset.matmul(rows, opset.constant(matrix), False, True)
        return openvino.Model([product], [rows])

    def kinds(model: Any) -> set[str]:
        return {
            str(op.get_element_type())
            for op in model.get_ordered_ops()
            if op.get_type_name() == "Constant"
        }

    folded = graph(numbers * scale)
    _keep_bytes(folded)
    assert any("int8" in kind for kind in kinds(folded))
    options = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    made = openvino.Core().compile_model(folded, "CPU", options)(row)[0]
    expected = row.astype(float) @ (numbers * scale).astype(float).T
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-2)

    other = graph(random.normal(size=(1024, 1024)).astype(np.float32))
    _keep_bytes(other)
    assert not any("int8" in kind for kind in kinds(other))


def test_directions_of_codes_are_principal_and_of_more_equal_variance() -> None:
    random = np.random.default_rng(4)
    spread = np.concatenate([[64.0], np.full(31, 4.0), np.ones(28), np.full(4, 1e-4)])
    basis, _ = np.linalg.qr(random.normal(size=(64, 64)))
    features = (random.normal(size=(40_000, 64)) * spread**0.5 @ basis.T / 8).astype(np.float16)
    directions = fit_directions(features)
    assert directions is not None
    heard = np.linalg.norm(basis.T @ directions, axis=1)
    # By λ^-0.25 of what each says; four of the 28 that are alike are too many, as are the least.
    assert heard[0] / heard[1:32].mean() == pytest.approx(16**-0.25, rel=0.05)
    assert heard[60:].max() < 0.1 * heard[32:60].max()
    projected = features.astype(np.float32) @ directions
    variances = projected.var(axis=0)
    assert variances.max() < 2 * variances.min()
    assert fit_directions(features[:, :56]) is None
    assert fit_directions(None) is None
