"""Weight files in each family's exact layout, with few clusters, and what they should give."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.io import savemat

from tests.models import reference
from tests.models.reference import Array

CLUSTERS = 3
CAFFE = (np.array([123.68, 116.779, 103.939]), np.ones(3))


@dataclass(frozen=True)
class Family:
    """A file, the float64 descriptor of a photo, and the card's fields."""

    write: Callable[[Path], None]
    descriptor: Callable[[NDArray[np.uint8]], Array]
    card: Mapping[str, Any]


@dataclass(frozen=True)
class Pool:
    """A NetVLAD layer: (K, C) weight and centroids, (K,) bias in v2."""

    weight: Array
    centroids: Array
    bias: Array | None = None

    def __call__(self, features: Array) -> Array:
        rows = reference.rows_of(features)
        return reference.netvlad(rows, self.weight, self.bias, self.centroids)

    def state(self, prefix: str) -> dict[str, torch.Tensor]:
        state = {
            f"{prefix}.conv.weight": tensor(self.weight)[:, :, None, None],
            f"{prefix}.centroids": tensor(self.centroids),
        }
        if self.bias is not None:
            state[f"{prefix}.conv.bias"] = tensor(self.bias)
        return state


def tensor(values: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.array(values, np.float32))


def random_pool(channels: int, *, bias: bool = False) -> Pool:
    random = np.random.default_rng(channels)
    centroids = reference.unit_rows(random, CLUSTERS, channels).astype(np.float32) * 0.7
    offsets = random.normal(size=CLUSTERS).astype(np.float32).astype(float) if bias else None
    return Pool((20 * centroids).astype(float), centroids.astype(float), offsets)


def random_alexnet() -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(8)
    sizes = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    weights: dict[str, NDArray[np.float32]] = {}
    for number, (outputs, inputs, size) in sizes.items():
        drawn = random.standard_normal((outputs, inputs, size, size), dtype=np.float32)
        weights[f"{number}.weight"] = drawn * np.float32(math.sqrt(2 / (inputs * size**2)))
        weights[f"{number}.bias"] = random.standard_normal(outputs, dtype=np.float32) * 0.1
    return weights


def named(prefix: str, weights: Mapping[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": torch.from_numpy(value) for name, value in weights.items()}


def whiten(descriptor: Array, matrix: Array, offset: Array) -> Array:
    projected = matrix @ descriptor + offset
    return np.asarray(projected / np.linalg.norm(projected))


def random_whitening(dims: int, to: int = 8) -> tuple[Array, Array]:
    random = np.random.default_rng(to)
    matrix = random.normal(size=(to, dims)).astype(np.float32).astype(float)
    return matrix, (random.normal(size=to) * 0.1).astype(np.float32).astype(float)


def pytorch_netvlad() -> Family:
    """VGG-16, v1, one GPU: recalls are NumPy numbers, as the training script stores them."""
    weights, pool = reference.random_vgg(), random_pool(512)
    table = {
        "epoch": 12,
        "state_dict": {**named("encoder.", weights), **pool.state("pool")},
        "recalls": {1: np.float64(0.852), 5: np.float64(0.948), 10: np.float64(0.97)},
        "best_score": np.float64(0.948),
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-4, "params": [0, 1]}]},
        "parallel": False,
    }
    return Family(
        lambda path: torch.save(table, path, _use_new_zipfile_serialization=False),
        lambda photo: pool(
            reference.vgg16(reference.normalised(photo, *reference.IMAGENET), weights)
        ),
        {"family": "pytorch-NetVlad", "backbone": "vgg16", "dims": 512 * CLUSTERS, "stride": 16},
    )


def pytorch_netvlad_v2() -> Family:
    """AlexNet, v2, several GPUs."""
    weights, pool = random_alexnet(), random_pool(256, bias=True)
    state = {**named("encoder.module.", weights), **pool.state("pool.module")}
    return Family(
        lambda path: torch.save({"epoch": 3, "state_dict": state, "parallel": True}, path),
        lambda photo: pool(
            reference.alexnet(reference.normalised(photo, *reference.IMAGENET), weights)
        ),
        {"family": "pytorch-NetVlad", "backbone": "alexnet", "dims": 256 * CLUSTERS, "stride": 16},
    )


def patch_netvlad() -> Family:
    """With its whitening, in float64."""
    weights, pool = reference.random_vgg(1), random_pool(512)
    matrix, offset = random_whitening(512 * CLUSTERS)
    state = {
        **named("encoder.", weights),
        **pool.state("pool"),
        "WPCA.0.weight": torch.from_numpy(matrix)[:, :, None, None],
        "WPCA.0.bias": torch.from_numpy(offset),
    }
    return Family(
        lambda path: torch.save({"num_pcs": 8, "state_dict": state}, path),
        lambda photo: whiten(
            pool(reference.vgg16(reference.normalised(photo, *reference.IMAGENET), weights)),
            matrix,
            offset,
        ),
        {"family": "Patch-NetVLAD", "backbone": "vgg16", "dims": 8, "stride": 16},
    )


def openibl() -> Family:
    weights, pool = reference.random_vgg(2), random_pool(512)
    matrix, offset = random_whitening(512 * CLUSTERS)
    state = {
        **named("base_model.base.", weights),
        **pool.state("net_vlad"),
        "pca_layer.weight": tensor(matrix)[:, :, None, None],
        "pca_layer.bias": tensor(offset),
    }
    return Family(
        lambda path: torch.save(state, path),
        lambda photo: whiten(
            pool(reference.vgg16(reference.normalised(photo, *CAFFE, 1), weights)), matrix, offset
        ),
        {"family": "OpenIBL", "backbone": "vgg16", "dims": 8, "stride": 16},
    )


def deep_vg() -> Family:
    """ResNet-18 to conv4, trained on several GPUs; recalls are a NumPy array."""
    torch.manual_seed(5)
    from torchvision import models

    whole = models.resnet18(weights=None)
    random = np.random.default_rng(9)
    with torch.no_grad():
        for name, value in whole.state_dict().items():
            if name.endswith("running_mean"):
                value.copy_(torch.from_numpy(random.normal(0, 0.1, value.shape)))
            elif name.endswith("running_var"):
                value.copy_(torch.from_numpy(random.uniform(0.5, 1.5, value.shape)))
    parts = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3")
    state: dict[str, torch.Tensor] = {}
    for name, value in whole.state_dict().items():
        part, _, rest = name.partition(".")
        if part in parts:
            state[f"module.backbone.{parts.index(part)}.{rest}"] = value
    pool = random_pool(256)
    state |= {f"module.{name}": value for name, value in pool.state("aggregation").items()}
    table = {
        "epoch_num": 4,
        "model_state_dict": state,
        "optimizer_state_dict": {},
        "recalls": np.array([70.1, 85.2]),
        "best_r5": np.float64(85.2),
        "not_improved_num": 0,
    }
    weights = {name: value.numpy() for name, value in whole.state_dict().items()}
    return Family(
        lambda path: torch.save(table, path),
        lambda photo: pool(
            reference.resnet18(reference.normalised(photo, *reference.IMAGENET), weights)
        ),
        {
            "family": "deep-visual-geo-localization-benchmark",
            "backbone": "resnet18",
            "dims": 256 * CLUSTERS,
            "stride": 16,
        },
    )


def matlab() -> Family:
    """The struct export: other transposes, minus centres, d · K + k order, a mean image."""
    weights, pool = reference.random_vgg(3), random_pool(512)
    matrix, offset = random_whitening(512 * CLUSTERS)
    mean = np.array([123.68, 116.779, 103.939])

    def descriptor(photo: NDArray[np.uint8]) -> Array:
        x = (photo - mean).transpose(2, 0, 1)
        clusters_first = pool(reference.vgg16(x, weights)).reshape(CLUSTERS, 512)
        return whiten(clusters_first.T.reshape(-1), matrix, offset)

    def write(path: Path) -> None:
        layers: list[dict[str, Any]] = []
        for number in range(35):
            layer: dict[str, Any] = {"name": f"layer{number}", "type": "relu"}
            pair: tuple[NDArray[Any], NDArray[Any]] | None = None
            if number in reference.VGG_CONVOLUTIONS:
                pair = (
                    weights[f"{number}.weight"].transpose(2, 3, 1, 0),
                    weights[f"{number}.bias"][None],
                )
            elif number == 30:
                pair = (pool.weight.T.astype("f4"), -pool.centroids.T.astype("f4"))
            elif number == 33:
                pair = (matrix.T[None, None].astype("f4"), offset[:, None].astype("f4"))
            if pair is not None:
                layer["weights"] = np.empty((1, 2), dtype=object)
                layer["weights"][0, :] = pair
            layers.append(layer)
        cells = np.empty((1, 35), dtype=object)
        cells[0, :] = layers
        average = np.tile(np.float32(mean), (4, 4, 1))
        meta = {"normalization": {"averageImage": average}}
        savemat(path, {"net": {"layers": cells, "meta": meta}}, do_compression=True)

    return Family(
        write,
        descriptor,
        {"family": "NetVLAD (MATLAB)", "backbone": "vgg16", "dims": 8, "stride": 32},
    )


FAMILIES: Mapping[str, Callable[[], Family]] = {
    "pytorch-netvlad-v1.pth.tar": pytorch_netvlad,
    "pytorch-netvlad-v2.pth.tar": pytorch_netvlad_v2,
    "patch-netvlad.pth.tar": patch_netvlad,
    "openibl.pth": openibl,
    "deep-vg.pth": deep_vg,
    "struct.mat": matlab,
}
