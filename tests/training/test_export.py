"""pytorch-NetVlad's layout, read back by the reader of that family."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from place_search.core.files import sha256_of
from place_search.evaluation.results import find_published
from place_search.models import (
    Aggregation,
    LocalFeatures,
    ModelCard,
    ModelError,
    find_model,
    open_model,
    read_card,
    write_card,
)
from place_search.models.aggregations.netvlad import NetVLAD, netvlad_of
from place_search.models.card import WEIGHTS_NAME
from place_search.models.importers.pytorch_netvlad import OWN
from place_search.models.network import Network, load_backbone, save_network
from place_search.models.runtimes.torch_runtime import embed_with
from place_search.models.weight_files.importing import import_weights
from place_search.models.weight_files.read import read_weights
from place_search.photos import Photo, Preprocessing
from place_search.photos.preprocessing import resize_photo
from place_search.training import TrainingError, export_checkpoint

PREPROCESSING = Preprocessing()


def write(
    folder: Path, *, scale: float, bias: bool, preprocessing: Preprocessing = PREPROCESSING
) -> Network:
    """A random AlexNet with its own normalisation of pixels, as a model folder without a graph."""
    torch.manual_seed(1)
    network = Network(load_backbone("alexnet")(), NetVLAD(4, 256, bias=bias)).eval()
    with torch.no_grad():
        netvlad_of(network).assignment.weight.normal_(0, 4)
        netvlad_of(network).centroids.normal_(0, 0.1)
        network.pixel_mean.copy_(torch.tensor([123.68, 116.779, 103.939]))
        network.pixel_scale.fill_(scale)
    folder.mkdir()
    save_network(network, folder)
    card = ModelCard(
        id=folder.name,
        title="",
        family="place-search",
        backbone="alexnet",
        aggregation=Aggregation("netvlad", {"clusters": 4}),
        local_features=LocalFeatures(256, 16),
        dims=1024,
        licence="",
        preprocessing=preprocessing,
        files={WEIGHTS_NAME: sha256_of(folder / WEIGHTS_NAME)},
        fitting={"training": {"best_epoch": 3, "recall_after": {"1": 50.0, "5": 75.0}}},
    )
    write_card(card, folder)
    return network


@pytest.mark.parametrize("bias", [False, True])
def test_the_reader_of_the_family_gives_the_same_descriptors(tmp_path: Path, bias: bool) -> None:
    network = write(tmp_path / "model", scale=1 / 60, bias=bias)
    export_checkpoint(tmp_path / "model", tmp_path / "model_best.pth.tar")
    read = read_weights(tmp_path / "model_best.pth.tar")
    assert (read.family, read.backbone) == ("pytorch-NetVlad", "alexnet")
    assert read.recall[0].at == {"1": 50.0, "5": 75.0}
    assert find_published(read.recall, "validation") == []  # as of a validation.csv
    pixels = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    ours, theirs = embed_with(network, pixels), embed_with(read.network, pixels)
    # The borders are padded with the mean colour, which is not quite the same.
    assert float(ours.descriptor @ theirs.descriptor) > 0.9999
    table = torch.load(tmp_path / "model_best.pth.tar", weights_only=True)
    assert (table["epoch"], table["best_score"], table["parallel"]) == (3, 0.75, False)


@pytest.mark.slow
@pytest.mark.parametrize("resize", ["exact", "area", "longest"])
def test_what_is_exported_and_imported_gives_the_same_descriptors_of_photos(
    tmp_path: Path, resize: Literal["exact", "area", "longest"]
) -> None:
    asked = Preprocessing(resize, 256, 192)
    network = write(tmp_path / "model", scale=1 / 60, bias=True, preprocessing=asked)
    exported = export_checkpoint(tmp_path / "model", tmp_path / "model_best.pth.tar")
    card = import_weights(tmp_path / "model_best.pth.tar", tmp_path / "again")
    assert card.preprocessing == exported.preprocessing == asked
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    photo = Photo(np.repeat(np.repeat(pixels, 20, axis=0), 10, axis=1), 400, 600)
    ours = embed_with(network, resize_photo(photo, asked)).descriptor
    assert float(ours @ open_model(tmp_path / "again").embed(photo).descriptor) > 0.9999


@pytest.mark.slow
def test_a_checkpoint_that_does_not_say_its_own_resizing_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "model", scale=1 / 60, bias=True)
    export_checkpoint(tmp_path / "model", tmp_path / "whole.pth")
    table = torch.load(tmp_path / "whole.pth", weights_only=True)
    for told in ({}, {"preprocessing": {"side": 3}}, {"preprocessing": None}, None):
        torch.save({**table, OWN: told}, tmp_path / "odd.pth")
        with pytest.raises(ModelError, match="does not say how photos are resized; export"):
            read_weights(tmp_path / "odd.pth")


def test_what_the_layout_has_no_place_for(tmp_path: Path) -> None:
    out = tmp_path / "x.pth.tar"
    with pytest.raises(TrainingError, match="backbone efficientnet-lite0, for which"):
        export_checkpoint(find_model(), out)
    write(tmp_path / "model", scale=1.0, bias=False)
    out.touch()
    with pytest.raises(TrainingError, match="exists already"):
        export_checkpoint(tmp_path / "model", out)
    card = read_card(tmp_path / "model")
    write_card(replace(card, whitened=True, dims=8), tmp_path / "model")
    with pytest.raises(TrainingError, match="is whitened, for which"):
        export_checkpoint(tmp_path / "model", tmp_path / "y.pth.tar")


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "model", scale=1 / 60, bias=True)
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"m\.pth cannot be written \(File exists\); mend"):
        export_checkpoint(tmp_path / "model", tmp_path / "file" / "m.pth")

    def full(table: object, path: Path) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file data/0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"m\.pth is on a full disk; free some space"):
        export_checkpoint(tmp_path / "model", tmp_path / "m.pth")
    assert {path.name for path in tmp_path.iterdir()} == {"model", "file"}
