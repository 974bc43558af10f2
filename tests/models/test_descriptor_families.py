"""Families that give descriptors alone: each file gives the descriptor of a float64 reference."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from place_search.core.plugins import load_part, part_names
from place_search.models import ModelError, open_model
from place_search.models.backbones.dinov2_vitl14_adapted import AdaptedBlock
from place_search.models.backbones.dinov2_vits14 import published_names, resample
from place_search.models.network import load_backbone
from place_search.models.runtimes.torch_runtime import embed_with
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.importing import import_weights
from place_search.models.weight_files.read import IMPORTERS, read_weights
from place_search.photos import Photo
from tests.models.family_files import (
    FAMILIES,
    Family,
    attention,
    conv_ap,
    gem,
    layer_norm,
    linear,
    mixvpr,
    shaken,
)
from tests.models.reference import IMAGENET


def photo_of(family: Family) -> NDArray[np.uint8]:
    width, height = family.size.size(128, 96)
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def reference(family: Family, photo: NDArray[np.uint8]) -> NDArray[np.float64]:
    pixels = torch.from_numpy((photo / 255 - IMAGENET[0]) / IMAGENET[1]).permute(2, 0, 1)[None]
    with torch.no_grad():
        return np.asarray(family.descriptor(pixels))


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]()


def importers() -> list[Any]:
    return [load_part(IMPORTERS, name) for name in part_names(IMPORTERS)]


@pytest.mark.slow
def test_the_model_folder_gives_the_reference_s_descriptor(family: Family, tmp_path: Path) -> None:
    if family.aggregation.name == "gem":
        pytest.skip("other tests export it")
    path = tmp_path / "c.pth"
    torch.save(family.state, path)
    card = import_weights(path, tmp_path / "small")
    assert (card.family, card.backbone) == (family.name, family.backbone)
    assert (card.aggregation, card.preprocessing) == (family.aggregation, family.size)
    model = open_model(tmp_path / "small")
    photo = photo_of(family)
    expected = reference(family, photo)
    embedding = model.embed(Photo(photo, photo.shape[1], photo.shape[0]))
    assert embedding.local_features is None
    assert embedding.descriptor.shape == expected.shape == (card.dims,)
    assert float(embedding.descriptor @ expected) >= 0.99999


@pytest.mark.slow
@pytest.mark.parametrize(
    ("power", "said"),
    [(0.0, "'same' gives the same vector"), (1e4, "'same' gives a vector of zeros")],
)
def test_weights_that_tell_no_photos_apart_are_refused(
    power: float, said: str, tmp_path: Path
) -> None:
    torch.save({**gem().state, "aggregation.1.p": torch.tensor([power])}, tmp_path / "c.pth")
    with pytest.raises(ModelError, match=said):
        import_weights(tmp_path / "c.pth", tmp_path / "same")
    assert [path.name for path in tmp_path.iterdir()] == ["c.pth"]


@pytest.mark.slow
def test_half_precision_and_several_gpus(family: Family, tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    halves = {
        f"module.{name}": value.half() if value.is_floating_point() else value
        for name, value in family.state.items()
    }
    torch.save({"epoch": 3, "state_dict": halves}, path)
    photo = photo_of(family)
    found = embed_with(read_weights(path).network, photo).descriptor
    assert abs(float(np.linalg.norm(found)) - 1) < 1e-5
    assert float(found @ reference(family, photo)) >= 0.999


def test_missing_surplus_and_odd_layers_are_one_sentence(family: Family, tmp_path: Path) -> None:
    if family.aggregation.name == "gem":
        pytest.skip("what tells it from others is all that its pooling has")
    (tmp_path / "c.pth").touch()

    def refused(state: Mapping[str, Any]) -> str:
        file = WeightFile(tmp_path / "c.pth")
        file.__dict__["state"] = state  # as if it were read, which takes a second
        (importer,) = (part for part in importers() if part.matches(file))
        with pytest.raises(ModelError, match=f"weights of {family.name} but") as caught:
            importer.read(file)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    pool = [name for name in family.state if name.startswith("aggreg")]
    bias = next(name for name in reversed(pool) if name.endswith("bias"))
    assert f"lacks {bias}" in refused({k: v for k, v in family.state.items() if k != bias})
    assert f"has {bias} of shape" in refused({**family.state, bias: torch.zeros(5, 5)})
    nan = torch.full_like(family.state[bias], torch.nan)
    assert f"values in {bias} that are no" in refused({**family.state, bias: nan})
    assert "should not have (head.x)" in refused({**family.state, "head.x": torch.zeros(2)})
    layer = next(
        name
        for name in reversed(family.state)
        if name.startswith("backbone.") and name.endswith("weight")
    )
    refused({name: value for name, value in family.state.items() if name != layer})


def test_a_safetensors_file_is_read_like_a_checkpoint(tmp_path: Path) -> None:
    family = mixvpr()
    path = tmp_path / "model.safetensors"
    save_file({name: value.contiguous() for name, value in family.state.items()}, path)
    photo = photo_of(family)
    found = embed_with(read_weights(path).network, photo).descriptor
    assert float(found @ reference(family, photo)) >= 0.99999
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="safetensors file that is cut short or damaged"):
        read_weights(path)
    save_file({"other.weight": torch.zeros(2)}, path)
    with pytest.raises(ModelError, match="a safetensors file of no family, and without a card"):
        read_weights(path)


def test_positions_are_resampled_as_dinov2_does() -> None:
    """Numbers that facebookresearch/dinov2 itself gave at 322 × 322 (b8931f7)."""
    positions = torch.from_numpy(np.random.default_rng(6).normal(size=(1, 1370, 2))).float()
    found = resample(positions)
    assert found.shape == (1, 530, 2)
    torch.testing.assert_close(found[0, [0, 1, 23, 300, 529]].flatten(), torch.tensor(GOLDEN))


GOLDEN = [
    1.053116,
    1.776491,
    -1.372978,
    0.288859,
    -0.589833,
    0.679858,
    0.585946,
    1.792578,
    -0.316732,
    -0.290075,
]


def test_selavpr_s_blocks_and_names() -> None:
    """Its ViT-L/14 is too large for a test: one small block, and the names of all layers."""
    torch.manual_seed(7)
    block = shaken(
        AdaptedBlock(64, 1, qkv_bias=True, init_values=0.7, norm_layer=torch.nn.LayerNorm)
    )
    given = {name: value.double() for name, value in block.state_dict().items()}
    tokens = torch.randn(1, 5, 64)
    x = tokens[0].double()

    def adapter(y: Tensor, name: str) -> Tensor:
        return linear(linear(y, given, f"{name}.narrow").clamp(min=0), given, f"{name}.widen")

    y = layer_norm(x, given, "norm1", 1e-5)
    y = attention(y, y, given["attn.qkv.weight"], given["attn.qkv.bias"])
    y = linear(y, given, "attn.proj")
    x = x + given["ls1.gamma"] * (y + adapter(y, "adapter1"))
    y = layer_norm(x, given, "norm2", 1e-5)
    z = linear(y, given, "mlp.fc1")
    z = linear(z * (1 + torch.erf(z / 2**0.5)) / 2, given, "mlp.fc2")
    x = x + given["ls2.gamma"] * (z + 0.2 * adapter(y, "adapter2"))
    torch.testing.assert_close(block(tokens)[0].double(), x, atol=1e-4, rtol=1e-4)
    with torch.device("meta"):
        names = published_names(load_backbone("dinov2-vitl14-adapted")()).values()
    assert {"cls_token", "pos_embed", "blocks.23.adapter2.D_fc2.weight", "norm.bias"} < set(names)
    assert len(set(names)) == 4 + 24 * 22 + 2


@pytest.mark.parametrize(
    ("name", "settings", "regions"),
    [
        ("resnet18_ConvAP_20_1x3.ckpt", {}, [1, 3]),
        ("resnet18_ConvAP_320x320.ckpt", {}, [2, 2]),
        ("resnet18_ConvAP_20_1x3.ckpt", {"s1": 3, "s2": 1}, [3, 1]),
        ("resnet18_ConvAP_20_1x11.ckpt", {}, "1 × 11 regions of 10 × 10 cells"),
        ("resnet18.ckpt", {"s1": "many", "s2": 1}, "many × 1 regions of 10 × 10 cells"),
    ],
)
def test_conv_ap_s_regions_are_those_of_the_run_or_of_the_name(
    name: str, settings: Mapping[str, Any], regions: list[int] | str, tmp_path: Path
) -> None:
    (tmp_path / name).touch()
    file = WeightFile(tmp_path / name)
    run = {"hyper_parameters": {"agg_config": settings}} if settings else {}
    file.__dict__["table"] = {"state_dict": conv_ap().state, **run}
    (importer,) = (part for part in importers() if part.matches(file))
    if isinstance(regions, str):
        with pytest.raises(ModelError, match=f"weights of Conv-AP but has {regions}; give"):
            importer.read(file)
    else:
        pool = importer.read(file).network.pool
        assert pool.parameters_of_card["regions"] == regions
        assert pool(torch.randn(2, 512, 10, 10)).shape == (2, pool.dims)


def test_siblings_are_of_no_family(tmp_path: Path) -> None:
    """GeM of gsv-cities, and a DINOv2 with a pooling that no one published."""
    path = tmp_path / "c.pth"
    torch.save(
        {"backbone.model.conv1.weight": torch.zeros(2), "aggregator.p": torch.zeros(1)}, path
    )
    with pytest.raises(ModelError, match=r"none of the supported families \(aggregator\.p"):
        read_weights(path)
    token = {"backbone.model.cls_token": torch.zeros(1, 1, 100)}
    torch.save({"aggregator.dust_bin": torch.tensor(1.0), **token}, path)
    with pytest.raises(ModelError, match="has a DINOv2 of 100 channels"):
        read_weights(path)
