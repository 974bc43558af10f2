"""Models on DINOv2, whose blocks exchange tokens, and which takes photos of one size alone."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from place_search.models import UNWHITENED_MODEL
from place_search.models.aggregations.netvlad import NetVLAD
from place_search.models.backbones.dinov2_vits14 import DINOv2
from place_search.models.network import Network
from place_search.training import TrainingData, distil, preset, train
from place_search.training.split_network import split_network
from tests.training.conftest import Render

SIDE = 70


class BegunError(Exception):
    """A run got as far as the photos."""


def small_network(*_: object) -> Network:
    """A network with the layers of DINOv2, and random weights."""
    torch.manual_seed(0)
    network = Network(DINOv2(24, 2, 3, side=SIDE // 14), NetVLAD(4, 24))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


@pytest.mark.parametrize("train_last", [0, 1, 2, 3, -1])
def test_a_split_among_its_blocks_gives_the_same_descriptors(train_last: int) -> None:
    network = small_network()
    photos = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    expected = network(photos)[0]
    frozen, trained = split_network(network, train_last)
    torch.testing.assert_close(trained(frozen(photos)), expected)


def test_training_cuts_photos_to_its_size(
    render: Render, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(_run: object, _network: object, _split: object, config: Any, *_: object) -> None:
        assert (config.width, config.height) == (SIDE, SIDE)
        raise BegunError

    module = "place_search.training.loop.train"
    monkeypatch.setattr(f"{module}.load_network", small_network)
    monkeypatch.setattr(f"{module}.Trainer", begin)
    data = TrainingData(render(6, 2), render(6, 2, first=500))
    config = preset("cpu-smoke", {"train_last": 1})
    told: list[str] = []
    with pytest.raises(BegunError):
        train(
            data,
            tmp_path / "m",
            config=config,
            model=UNWHITENED_MODEL,
            print_message=told.append,
        )
    assert told == [f"Photos are cut to {SIDE} × {SIDE}, all that the model takes."]


def test_distillation_draws_views_of_its_size(
    render: Render, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(_photos: object, _preprocessing: object, size: object, *_: object, **__: Any) -> None:
        assert size == (SIDE, SIDE)
        raise BegunError

    module = sys.modules["place_search.training.distil"]  # the package has its function of the name
    monkeypatch.setattr(module, "load_network", small_network)
    monkeypatch.setattr(module, "draw_view_pool", draw)
    with pytest.raises(BegunError):
        distil(render(6, 2) / "images.csv", tmp_path / "m")
