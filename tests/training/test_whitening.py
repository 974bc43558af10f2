"""Whitening against a plain eigendecomposition, and the command that fits it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

import place_search
from place_search.cli.app import app
from place_search.evaluation import TruthFiles, examine
from place_search.indexer import build_index, open_index, open_index_model, open_source
from place_search.models import UNWHITENED_MODEL, ModelError, find_model, open_model, read_card
from place_search.search.compare import compare_photos
from place_search.search.server.server import open_engine
from place_search.search.server.settings import ServerSettings
from place_search.training import TrainingError, fit_whitening, whiten, whitening
from place_search.training.whitening import samples_needed


class Rows:
    """Descriptors that note how many are taken at once."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values = values
        self.shape: tuple[int, int] = (values.shape[0], values.shape[1])
        self.most = 0

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        self.most = max(self.most, len(rows))
        return self.values[rows]


def descriptors(count: int, width: int) -> NDArray[np.float32]:
    """Unit rows with a strong structure of few directions."""
    random = np.random.default_rng(count)
    values = (
        random.normal(size=(count, 40)) * np.linspace(3, 0.3, 40) @ random.normal(size=(40, width))
    )
    values += random.normal(size=(count, width))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values.astype(np.float32)


def plain(values: NDArray[np.float32], dims: int) -> tuple[NDArray[np.float64], ...]:
    """The recipe, all in memory."""
    x = values.astype(float)
    eigenvalues, vectors = np.linalg.eigh(np.cov(x.T))
    matrix = (vectors / np.sqrt(eigenvalues + 1e-9)).T[::-1][:dims]
    return matrix, -matrix @ x.mean(axis=0)


@pytest.mark.parametrize("width", [96, 260])
def test_both_ways_equal_the_recipe_and_read_a_block_at_a_time(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whitening, "_BLOCK_BYTES", 17 * 8 * width)
    monkeypatch.setattr(whitening, "MIN_SAMPLES", 100)
    rows = Rows(descriptors(150, width))
    fit = fit_whitening(rows, 30)
    assert rows.most == 17
    assert (fit.samples, fit.matrix.shape, fit.offset.shape) == (150, (30, width), (30,))
    matrix, offset = plain(rows.values, 30)
    signs = np.sign((fit.matrix * matrix).sum(axis=1))
    np.testing.assert_allclose(fit.matrix * signs[:, None], matrix, atol=1e-3 * abs(matrix).max())
    np.testing.assert_allclose(fit.offset * signs, offset, atol=1e-3 * abs(matrix).max())
    assert 0.5 < fit.variance_kept < 1
    white = rows.values @ fit.matrix.T + fit.offset
    np.testing.assert_allclose(np.cov(white.T), np.eye(30), atol=1e-3)


def test_too_few_samples_say_how_many_are_needed() -> None:
    with pytest.raises(TrainingError, match=r"1100 descriptors .* 600 .* need 1200; .* or fewer"):
        fit_whitening(Rows(descriptors(1100, 700)), 600)
    with pytest.raises(TrainingError, match="have 64 dimensions"):
        fit_whitening(Rows(descriptors(1000, 64)), 65)
    assert samples_needed(4096) == 8192
    assert samples_needed(2) == 1000


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(3)
    for number in range(12):
        blocks = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(blocks).resize((160, 120), Image.Resampling.NEAREST)
        picture.save(folder / f"{number:02d}.jpg")
    return folder


def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitening, "MIN_SAMPLES", 8)


def test_an_index_is_whitened_and_its_crops_compare_only_with_each_other(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    source = open_source(photos)
    build_index(source, tmp_path / "index", open_model(UNWHITENED_MODEL))
    card = whiten(tmp_path / "index", tmp_path / "white", dims=6)
    assert card == read_card(tmp_path / "white")
    assert (card.whitened, card.dims, card.fitting["whitening"]["samples"]) == (True, 6, 12)
    assert card.calibration is None  # the default model's holds for its own similarities
    white = open_model(tmp_path / "white")
    plain_model = open_model(UNWHITENED_MODEL)
    photo = white.read(photos / "03.jpg")
    descriptor = white.embed(photo).descriptor
    fit = fit_whitening(open_index(tmp_path / "index").descriptors(), 6)
    expected = fit.matrix @ plain_model.embed(photo).descriptor + fit.offset
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(descriptor, expected, atol=1e-4)

    cropped = open_model(tmp_path / "white", dims=4)
    kept = descriptor[:4] / np.linalg.norm(descriptor[:4])
    np.testing.assert_allclose(cropped.embed(photo).descriptor, kept, atol=1e-6)
    ((_, streamed),) = cropped.stream([(0, cropped.prepare(photo))])
    np.testing.assert_allclose(streamed.descriptor, kept, atol=1e-6)
    assert cropped.card.dims == 4
    assert len({cropped.fingerprint, white.fingerprint, plain_model.fingerprint}) == 3
    build_index(source, tmp_path / "cropped", cropped)
    index = open_index(tmp_path / "cropped")
    assert index.dims == 4
    index.check_model(open_index_model(index.manifest, tmp_path / "white"))
    with pytest.raises(ModelError, match="gives 6 dimensions, so 7 cannot be kept"):
        open_model(tmp_path / "white", dims=7)
    with pytest.raises(ModelError, match="is not whitened, so its descriptors cannot be cropped"):
        open_model(UNWHITENED_MODEL, dims=100)
    with pytest.raises(TrainingError, match="already; whiten 'lite0-netvlad', which it was made"):
        whiten(photos, tmp_path / "twice", dims=3, model=tmp_path / "white")


def test_who_opens_a_cropped_index_crops_its_model(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    monkeypatch.setenv("PLACE_SEARCH_WEIGHTS", str(tmp_path))
    whiten(photos, tmp_path / "white", dims=6, model="lite0-netvlad")
    folder, data = tmp_path / "index", tmp_path / "data"
    shutil.copytree(photos, data)
    last = max(data.glob("*.jpg"))
    last.rename(tmp_path / "late.jpg")
    build_index(open_source(data), folder, open_model("white", dims=4))

    assert place_search.search(folder, data / "03.jpg").results[0].name == "03.jpg"
    served = open_engine(folder, ServerSettings(threads=1))
    (tmp_path / "late.jpg").rename(last)
    done = CliRunner().invoke(app, ["sync", str(folder), str(data), "--threads", "1"])
    assert done.exit_code == 0, done.output
    again = open_engine(folder, ServerSettings(threads=1), served=served)
    assert again.model is served.model
    assert again.search(last).results[0].name == last.name
    # A rebuild with another crop comes with a model of its own.
    build_index(open_source(data), folder, open_model("white", dims=5))
    wider = open_engine(folder, ServerSettings(threads=1), served=again)
    assert wider.model.card.dims == 5
    assert compare_photos(wider.model, last, last).similarity == pytest.approx(1)
    diagnosis = examine(TruthFiles(), index=folder, threads=1)
    assert diagnosis.problems == ()


def test_photos_that_are_left_out_are_told(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    data = tmp_path / "data"
    shutil.copytree(photos, data)
    (data / "film.mov").write_bytes(b"film")
    (data / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    messages: list[str] = []
    whiten(data, tmp_path / "white", dims=6, model="lite0-netvlad", print_message=messages.append)
    assert messages[0] == f"Left out of {data}, as no photos: 1 .mov file."
    assert messages[1].startswith("Skipped: broken.jpg: the photo is truncated or corrupt")


def test_photos_are_refused_before_they_are_described(photos: Path, tmp_path: Path) -> None:
    described: list[tuple[str, int, int]] = []
    with pytest.raises(
        TrainingError, match=r"12 photos are too few .* need 1000; give more photos\.$"
    ):
        whiten(
            photos,
            tmp_path / "white",
            dims=64,
            progress=lambda stage, done, total: described.append((stage, done, total)),
        )
    assert not described
    assert list(tmp_path.iterdir()) == []


def test_a_cropped_card_says_so_in_its_fingerprint_only() -> None:
    card = replace(read_card(find_model()), whitened=True)
    assert replace(card, cropped=True, dims=64).fingerprint != card.fingerprint
