"""Families that give descriptors alone: each file gives the descriptor of a float64 reference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torchvision import models

from place_search.models import Aggregation, ModelError, open_model
from place_search.models.runtimes.torch_runtime import embed_with
from place_search.models.weight_files.importing import import_weights
from place_search.models.weight_files.read import read_weights
from place_search.photos import Photo, Preprocessing
from tests.models.reference import IMAGENET

State = dict[str, Tensor]


@dataclass(frozen=True)
class Family:
    """A small state dict in a family's layout, and the float64 descriptor of a photo.

    `descriptor` maps (1, 3, H, W) float64 normalised pixels to (D,).
    """

    name: str
    backbone: str
    state: State
    descriptor: Callable[[Tensor], Tensor]
    aggregation: Aggregation
    size: Preprocessing


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """The module in evaluation mode, its norms and biases away from 0 and 1."""
    generator = torch.Generator().manual_seed(3)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.is_floating_point() and value.ndim == 1:
            value.add_(torch.randn(value.shape, generator=generator) * 0.1)
    return module.eval()


def normal(*shape: int, scale: float | None = None) -> Tensor:
    """Random weights, by default of the size that keeps what passes through them as large."""
    return torch.randn(shape) * (scale or (1 / max(1, int(np.prod(shape[1:])))) ** 0.5)


RESNET_PARTS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


def resnet(whole: torch.nn.Module, parts: int) -> torch.nn.Sequential:
    layers = (whole.get_submodule(part) for part in RESNET_PARTS[:parts])
    return torch.nn.Sequential(*layers)


def named(prefix: str, module: torch.nn.Module) -> State:
    return {f"{prefix}{name}": value.clone() for name, value in module.state_dict().items()}


def cosplace() -> Family:
    torch.manual_seed(1)
    backbone = resnet(shaken(models.resnet18(weights=None)), 8)
    state = {
        **named("backbone.", backbone),
        "aggregation.1.p": torch.tensor([2.7]),
        "aggregation.3.weight": normal(24, 512),
        "aggregation.3.bias": normal(24, scale=0.1),
    }
    exact = backbone.double()

    def descriptor(pixels: Tensor) -> Tensor:
        local = functional.normalize(exact(pixels), dim=1).flatten(2)[0]
        means = (local.clamp(min=1e-6) ** 2.7).mean(dim=1) ** (1 / 2.7)
        given = state["aggregation.3.weight"].double() @ means + state["aggregation.3.bias"]
        return functional.normalize(given, dim=0)

    return Family(
        "CosPlace and EigenPlaces",
        "resnet18-conv5",
        state,
        descriptor,
        Aggregation("gem-linear", {"dims": 24}),
        Preprocessing("longest", 640, 480),
    )


def gem() -> Family:
    """GeM of the deep-visual-geo-localization-benchmark, on ResNet-18 to conv4."""
    torch.manual_seed(2)
    backbone = resnet(shaken(models.resnet18(weights=None)), 7)
    state = {**named("backbone.", backbone), "aggregation.1.p": torch.tensor([3.2])}
    exact = backbone.double()

    def descriptor(pixels: Tensor) -> Tensor:
        local = functional.normalize(exact(pixels), dim=1).flatten(2)[0]
        means = (local.clamp(min=1e-6) ** 3.2).mean(dim=1) ** (1 / 3.2)
        return functional.normalize(means, dim=0)

    return Family(
        "deep-visual-geo-localization-benchmark",
        "resnet18",
        state,
        descriptor,
        Aggregation("gem"),
        Preprocessing("exact", 640, 480),
    )


def mixvpr() -> Family:
    """Of 6 × 6 cells, on a narrower ResNet than the published one."""
    torch.manual_seed(3)
    whole = shaken(models.resnet18(weights=None))
    backbone = resnet(whole, 7)
    cells, mixers = 36, 2
    state = {
        name: value
        for name, value in named("backbone.model.", whole).items()
        if not name.startswith(("backbone.model.layer4", "backbone.model.fc"))
    }
    for number in range(mixers):
        prefix = f"aggregator.mix.{number}.mix"
        state |= {
            f"{prefix}.0.weight": 1 + normal(cells, scale=0.1),
            f"{prefix}.0.bias": normal(cells, scale=0.1),
            f"{prefix}.1.weight": normal(2 * cells, cells),
            f"{prefix}.1.bias": normal(2 * cells, scale=0.1),
            f"{prefix}.3.weight": normal(cells, 2 * cells),
            f"{prefix}.3.bias": normal(cells, scale=0.1),
        }
    state |= {
        "aggregator.channel_proj.weight": normal(20, 256),
        "aggregator.channel_proj.bias": normal(20, scale=0.1),
        "aggregator.row_proj.weight": normal(3, cells),
        "aggregator.row_proj.bias": normal(3, scale=0.1),
    }
    exact = backbone.double()

    def descriptor(pixels: Tensor) -> Tensor:
        given = {name: value.double() for name, value in state.items()}
        x = exact(pixels)[0].reshape(256, cells)
        for number in range(mixers):
            part = [given[f"aggregator.mix.{number}.mix.{name}"] for name in _MIXER]
            centred = x - x.mean(dim=1, keepdim=True)
            unit = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
            hidden = (unit * part[0] + part[1]) @ part[2].T + part[3]
            x = x + hidden.clamp(min=0) @ part[4].T + part[5]
        few = given["aggregator.channel_proj.weight"] @ x
        few = few + given["aggregator.channel_proj.bias"][:, None]
        short = few @ given["aggregator.row_proj.weight"].T + given["aggregator.row_proj.bias"]
        return functional.normalize(short.flatten(), dim=0)

    sizes = {"mixers": 2, "hidden": 72, "channels_out": 20, "rows_out": 3}
    return Family(
        "MixVPR",
        "resnet18",
        state,
        descriptor,
        Aggregation("mixvpr", {"grid": [6, 6], **sizes}),
        Preprocessing("exact", 96, 96),
    )


_MIXER = ("0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias")

FAMILIES: Mapping[str, Callable[[], Family]] = {"cosplace": cosplace, "gem": gem, "mixvpr": mixvpr}


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


@pytest.mark.slow
def test_the_model_folder_gives_the_reference_s_descriptor(family: Family, tmp_path: Path) -> None:
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
    path = tmp_path / "c.pth"

    def refused(state: Mapping[str, Any]) -> str:
        torch.save(state, path)
        with pytest.raises(ModelError, match=f"weights of {family.name} but") as caught:
            read_weights(path)
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
