"""Each backbone against float64, at odd sizes, in torch and through the exported graph."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import models

from place_search.core.plugins import part_names
from place_search.models.aggregations.netvlad import NetVLAD, netvlad_of
from place_search.models.export import export_onnx
from place_search.models.network import BACKBONES, Network, load_backbone
from place_search.models.runtimes.openvino_runtime import OpenVinoRuntime
from place_search.models.runtimes.torch_runtime import embed_with
from place_search.photos import Preprocessing
from tests.models.reference import alexnet, netvlad, random_vgg, rows_of, vgg16

ROOMS = {"vgg16": 512, "alexnet": 256, "resnet18": 256, "resnet50": 1024}


def grid(backbone: str, height: int, width: int) -> tuple[int, int]:
    """The cells that a photo gives, by the arithmetic of each layer."""

    def side(pixels: int) -> int:
        if backbone == "vgg16":
            return pixels // 16
        if backbone == "alexnet":
            return ((((pixels + 4 - 11) // 4 + 1) - 3) // 2 + 1 - 3) // 2 + 1
        return -(-pixels // 16)

    return side(height), side(width)


@pytest.fixture(scope="module", params=["alexnet", "resnet18", "vgg16"])
def network(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(1)
    backbone = load_backbone(request.param)()
    network = Network(backbone, NetVLAD(4, backbone.channels), cell_step=1)
    netvlad_of(network).initialise(torch.randn(4, backbone.channels) * 0.1, separation=0.5)
    network.pixel_mean.fill_(120.0)
    network.pixel_scale.fill_(1 / 58)
    return network.eval()


def name_of(network: Network) -> str:
    return next(
        name for name in part_names(BACKBONES) if isinstance(network.backbone, load_backbone(name))
    )


def test_the_exported_graph_takes_photos_of_any_size(network: Network, tmp_path: Path) -> None:
    name = name_of(network)
    export_onnx(network, tmp_path / "f32.onnx")
    runtime = OpenVinoRuntime(tmp_path / "f32.onnx")
    random = np.random.default_rng(2)
    for height, width in ((64, 64), (77, 131), (160, 112)):
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        ours, theirs = runtime.embed(pixels), embed_with(network, pixels)
        assert ours.require_local_features().shape == (*grid(name, height, width), ROOMS[name])
        assert float(ours.descriptor @ theirs.descriptor) >= 0.99999
        np.testing.assert_allclose(
            ours.require_local_features(), theirs.require_local_features(), atol=1e-4
        )


def test_cells_of_the_data_s_own_size(network: Network) -> None:
    name = name_of(network)
    expected = {"vgg16": (30, 40), "alexnet": (29, 39)}.get(name, (30, 40))
    assert grid(name, 480, 640) == expected
    with torch.device("meta"):
        backbone = load_backbone(name)()
        assert backbone(torch.zeros(1, 3, 480, 640)).shape[2:] == expected


@pytest.mark.parametrize("name", ["vgg16", "alexnet"])
def test_features_and_descriptor_equal_a_float64_reference(name: str) -> None:
    random = np.random.default_rng(3)
    backbone = load_backbone(name)()
    if name == "vgg16":
        weights = random_vgg()
    else:
        state = backbone.get_submodule("layers").state_dict()
        weights = {key: value.numpy() for key, value in state.items()}
    backbone.get_submodule("layers").load_state_dict(
        {key: torch.from_numpy(value) for key, value in weights.items()}
    )
    photo = random.normal(size=(3, 83, 101))
    with torch.no_grad():
        found = backbone(torch.from_numpy(photo[None]).float())[0].double().numpy()
    expected = vgg16(photo, weights) if name == "vgg16" else alexnet(photo, weights)
    assert found.shape == expected.shape == (ROOMS[name], *grid(name, 83, 101))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())

    centroids = random.normal(size=(3, ROOMS[name])) * 0.05
    layer = NetVLAD(3, ROOMS[name])
    layer.initialise(torch.from_numpy(centroids).float(), separation=0.1)
    weight = layer.assignment.weight.detach().double().numpy()[:, :, 0, 0]
    cells = torch.nn.functional.normalize(torch.from_numpy(found[None]).float(), dim=1)
    descriptor = layer(cells)[0].detach().double().numpy()
    reference = netvlad(rows_of(expected), weight, None, centroids)
    assert float(descriptor @ reference) >= 0.99999


@pytest.mark.parametrize("name", sorted(ROOMS))
def test_backbones_take_torchvision_s_weights(name: str) -> None:
    torch.manual_seed(4)
    whole = getattr(models, name)(weights=None).eval()
    backbone = load_backbone(name)().eval()
    backbone.load_imagenet(whole.state_dict())
    photo = torch.randn(1, 3, 96, 70)
    x = photo
    if hasattr(whole, "features"):
        x = whole.features[: 29 if name == "vgg16" else 11](x)
    else:
        x = whole.maxpool(whole.relu(whole.bn1(whole.conv1(x))))
        x = whole.layer3(whole.layer2(whole.layer1(x)))
    torch.testing.assert_close(backbone(photo), x)


def test_a_cell_step_averages_cells_and_leaves_the_descriptor(network: Network) -> None:
    if name_of(network) != "resnet18":
        pytest.skip("one backbone is enough")
    pixels = torch.randint(0, 256, (1, 112, 144, 3), dtype=torch.uint8)
    with torch.inference_mode():
        descriptor, cells = network(pixels)
        network.cell_step = 2
        same, fewer = network(pixels)
    network.cell_step = 1
    torch.testing.assert_close(same, descriptor)
    assert fewer.shape == (1, 3, 4, 256)
    torch.testing.assert_close(fewer[0, 1, 2], cells[0, 2:4, 4:6].mean((0, 1)))


def test_longest_shrinks_only_and_never_below_a_cell() -> None:
    size = Preprocessing("longest", 1024, 768).size
    assert size(640, 480) == (640, 480)
    assert size(4000, 3000) == (1024, 768)
    assert size(3000, 4000) == (768, 1024)
    assert size(1025, 333) == (1024, 333)
    assert size(9000, 9) == (1024, 64)
    assert size(5, 7) == (64, 64)
