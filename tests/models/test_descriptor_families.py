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


FAMILIES: Mapping[str, Callable[[], Family]] = {"cosplace": cosplace}


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
