"""A VGG-16 NetVLAD for timing: random weights, which take as long as trained ones."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from place_search.models import Aggregation, LocalFeatures, ModelCard, read_card
from place_search.models.aggregations.netvlad import netvlad_of
from place_search.models.card import CARD_NAME
from place_search.models.folder import write_model
from place_search.models.network import build_network
from place_search.models.quantize import quantize_model
from place_search.photos import Preprocessing

PHOTOS = 8


def vgg_model(folder: Path) -> Path:
    """The model folder with its int8 graph, made if it does not exist yet."""
    if not (folder / CARD_NAME).is_file():
        torch.manual_seed(0)
        card = ModelCard(
            id=folder.name,
            title="VGG-16 + NetVLAD, random weights",
            family="place-search",
            backbone="vgg16",
            aggregation=Aggregation("netvlad", {"clusters": 64}),
            local_features=LocalFeatures(512, 16),
            dims=64 * 512,
            licence="Apache-2.0",
            preprocessing=Preprocessing("exact"),
            files={},
        )
        network = build_network(card)
        network.pixel_mean.fill_(128.0)
        network.pixel_scale.fill_(1 / 64)
        netvlad_of(network).initialise(functional.normalize(torch.rand(64, 512), dim=1), 0.1)
        write_model(network.eval(), card, folder)
    if read_card(folder).quantization is None:
        random = np.random.default_rng(0)
        photos = [random.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(PHOTOS)]
        quantize_model(folder, photos, "")
    return folder
