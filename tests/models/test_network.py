import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from place_search.core.files import sha256_of
from place_search.models import Aggregation, ModelError, find_model, open_model, read_card
from place_search.models.card import WEIGHTS_NAME
from place_search.models.layers import Whitening
from place_search.models.network import Network, load_network, save_network


def test_weights_survive_saving_with_a_whitening_layer(tmp_path: Path) -> None:
    folder = find_model("lite0-netvlad")
    card = read_card(folder)
    plain = load_network(folder, card)
    whitened = Network(plain.backbone, plain.pool, Whitening(card.dims, 8)).eval()
    save_network(whitened, tmp_path)
    files = {WEIGHTS_NAME: sha256_of(tmp_path / WEIGHTS_NAME)}
    again = load_network(tmp_path, replace(card, whitened=True, dims=8, files=files))
    photos = torch.randint(0, 256, (1, 64, 96, 3), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(again(photos), whitened(photos))
        assert again(photos)[0].shape == (1, 8)


def test_weights_that_do_not_fit_the_card(tmp_path: Path) -> None:
    card = read_card(find_model())
    with pytest.raises(ModelError, match="does not hold the weights of 'lite0-netvlad-1024'"):
        load_network(
            find_model(), replace(card, aggregation=Aggregation("netvlad", {"clusters": 32}))
        )
    with pytest.raises(ModelError, match=r"backbone 'vgg99'; known are alexnet, .*vgg16"):
        load_network(find_model(), replace(card, backbone="vgg99"))


def test_altered_weights_are_refused_though_the_graph_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(find_model("lite0-netvlad"), folder)
    network = load_network(folder, read_card(folder))
    network.pool.get_parameter("centroids").data *= 1.3
    save_network(network, folder)
    open_model(folder)
    with pytest.raises(ModelError, match=r"weights\.safetensors is altered; fetch or import"):
        open_model(folder, runtime="torch")
