"""A model that is taught by itself: its views move towards what its photos are given."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from place_search.cli.app import app
from place_search.core.progress import silent
from place_search.models import UNWHITENED_MODEL, find_model, open_model, read_card
from place_search.models.network import Network, load_network
from place_search.photos import PhotoError
from place_search.training import DistillationConfig, TrainingError, distil, whitening
from place_search.training.data.label_lists import read_labels
from place_search.training.data.view_pool import STILL, ViewPool, batches_of_parts, draw_view_pool
from place_search.training.data.viewed_photos import read_viewed_photos
from tests.training.conftest import Render

SMALL = DistillationConfig(
    width=96, height=64, moved=4, places=4, views=2, steps=20, dims=8, learning_rate=3e-4
)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitening, "MIN_SAMPLES", 8)


def drawn(folder: Path, file: Path) -> ViewPool:
    card = read_card(find_model(UNWHITENED_MODEL))
    photos = read_viewed_photos(folder / "images.csv", folder)
    size = SMALL.width, SMALL.height
    return draw_view_pool(
        photos, card.preprocessing, size, SMALL.moved, file, seed=1, progress=silent
    )


def test_views_are_drawn_once_and_alike(render: Render, tmp_path: Path) -> None:
    folder = render(3, 2)
    (folder / "images.csv").write_text("image,place,crops\n000-0.png,0,2\n001-0.png,1,\n")
    pool = drawn(folder, tmp_path / "a.npy")
    assert pool.rows.tolist() == [0, 0, 0, 1]
    assert pool.views.shape == (4, 1 + STILL + SMALL.moved, SMALL.height, SMALL.width, 3)
    np.testing.assert_array_equal(pool.views, drawn(folder, tmp_path / "b.npy").views)
    assert (np.diff(pool.views.reshape(len(pool.rows), -1, 64 * 96 * 3), axis=1) != 0).any(-1).all()


def test_room_for_all_views_is_taken_before_they_are_drawn(render: Render, tmp_path: Path) -> None:
    folder = render(2, 1)
    for photo in folder.glob("*.png"):
        photo.unlink()
    with pytest.raises(PhotoError):
        drawn(folder, tmp_path / "views.npy")
    taken = (tmp_path / "views.npy").stat()
    assert 512 * taken.st_blocks >= taken.st_size > 2 * SMALL.width * SMALL.height


def test_a_batch_holds_no_two_photos_of_one_place(render: Render, tmp_path: Path) -> None:
    folder = render(5, 3)
    places = read_labels(folder / "images.csv", folder, 1)
    pool = drawn(folder, tmp_path / "views.npy")
    batches = batches_of_parts(pool, places, 4, np.random.default_rng(0))
    seen = set()
    for _ in range(12):
        batch = next(batches)
        assert len({row // 3 for row in pool.rows[batch].tolist()}) == len(batch) > 1
        seen.update(batch)
    assert seen == set(range(15))


def test_views_come_nearer_to_what_the_photo_is_given(
    render: Render, tmp_path: Path, few: None
) -> None:
    folder = render(6, 2)
    card = distil(folder / "images.csv", tmp_path / "taught", config=SMALL)
    assert card == read_card(tmp_path / "taught")
    assert (card.dims, card.whitened, card.fitting["distillation"]["parts"]) == (7168, False, 12)
    again = distil(folder / "images.csv", tmp_path / "again", config=SMALL)
    first, second = (
        load_file(tmp_path / name / "weights.safetensors") for name in ("taught", "again")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert again.fitting == card.fitting

    plain = find_model(UNWHITENED_MODEL)
    start = load_network(plain, read_card(plain))
    taught = load_network(tmp_path / "taught", card)
    views = torch.from_numpy(drawn(folder, tmp_path / "views.npy").views[:, :])

    def given(network: Network, view: int) -> torch.Tensor:
        with torch.no_grad():
            return network.extract(views[:, view])

    def likeness(network: Network) -> float:
        clean = given(start, 0)
        made = [(given(network, view) * clean).sum(dim=1) for view in range(1, 1 + STILL)]
        return float(torch.stack(made).mean())

    assert likeness(taught) > likeness(start) + 0.01
    opened = open_model(tmp_path / "taught")
    assert opened.embed(opened.read(folder / "000-0.png")).descriptor.shape == (7168,)


def test_a_loss_that_is_no_number_is_told(render: Render, tmp_path: Path, few: None) -> None:
    with pytest.raises(TrainingError, match=r"loss of step \d+ is nan; .* --learning-rate"):
        distil(
            render(4, 2) / "images.csv",
            tmp_path / "taught",
            config=replace(SMALL, learning_rate=1e12),
        )
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_is_missing(render: Render, tmp_path: Path) -> None:
    folder = render(2, 2)
    arguments = ["distil", str(folder / "images.csv"), "--out", str(tmp_path / "taught")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "are too few" in " ".join(done.stderr.split())
    (folder / "images.csv").write_text("image,place\n000-0.png,0\n000-1.png,0\n")
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "images.csv show one place" in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []
