"""Straightforward float64 implementations, sharing no code with the program."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

VGG_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
VGG_SHAPES = (
    *((64, 3), (64, 64), (128, 64), (128, 128), (256, 128), (256, 256), (256, 256)),
    *((512, 256), (512, 512), (512, 512), (512, 512), (512, 512), (512, 512)),
)
_POOL_BEFORE = (5, 10, 17, 24)
IMAGENET = (np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]))


def unit_rows(random: np.random.Generator, *shape: int) -> Array:
    rows = random.normal(size=shape)
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def netvlad(cells: Array, weight: Array, bias: Array | None, centroids: Array) -> Array:
    """NetVLAD cell by cell and cluster by cluster; cells (n, C), weight and centroids (K, C)."""
    sums = np.zeros_like(centroids)
    for x in cells:
        scores = weight @ x + (0 if bias is None else bias)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        for k, share in enumerate(shares):
            sums[k] += share * (x - centroids[k])
    for k in range(len(sums)):
        sums[k] /= math.sqrt((sums[k] ** 2).sum())
    flat = sums.reshape(-1)
    return np.asarray(flat / math.sqrt((flat**2).sum()))


def convolve(
    x: Array, weight: Array, bias: Array | None, stride: int = 1, padding: int = 1
) -> Array:
    """(C, H, W) with (O, C, k, k): one matrix product for each position in the window."""
    size = weight.shape[2]
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    height = (x.shape[1] - size) // stride + 1
    width = (x.shape[2] - size) // stride + 1
    y = np.zeros((len(weight), height * width))
    for row in range(size):
        for column in range(size):
            seen = x[:, row::stride, column::stride][:, :height, :width]
            y += weight[:, :, row, column] @ seen.reshape(len(x), -1)
    if bias is not None:
        y += bias[:, None]
    return y.reshape(-1, height, width)


def max_pool(x: Array, size: int, stride: int, padding: int = 0) -> Array:
    """The largest in each window of a (C, H, W) grid; what does not fill a window is dropped."""
    around = ((0, 0), (padding, padding), (padding, padding))
    x = np.pad(x, around, constant_values=-np.inf)
    height, width = ((side - size) // stride + 1 for side in x.shape[1:])
    parts = [
        x[:, row::stride, column::stride][:, :height, :width]
        for row in range(size)
        for column in range(size)
    ]
    return np.asarray(np.max(parts, axis=0))


def vgg16(x: Array, weights: Mapping[str, NDArray[np.generic]]) -> Array:
    """conv5_3 before its ReLU: (3, H, W) to (512, H / 16, W / 16); names as in `28.weight`."""
    for number in VGG_CONVOLUTIONS:
        if number:
            x = np.maximum(x, 0)
        if number in _POOL_BEFORE:
            x = max_pool(x, 2, 2)
        weight, bias = weights[f"{number}.weight"], weights[f"{number}.bias"]
        x = convolve(x, weight.astype(float), bias.astype(float))
    return x


def alexnet(x: Array, weights: Mapping[str, NDArray[np.generic]]) -> Array:
    """conv5 before its ReLU: (3, H, W) to (256, h, w); names as in `10.weight`."""
    layers = ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1))
    for number, stride, padding in layers:
        if number:
            x = np.maximum(x, 0)
        if number in (3, 6):
            x = max_pool(x, 3, 2)
        weight, bias = weights[f"{number}.weight"], weights[f"{number}.bias"]
        x = convolve(x, weight.astype(float), bias.astype(float), stride, padding)
    return x


def resnet18(x: Array, weights: Mapping[str, NDArray[np.generic]]) -> Array:
    """The end of stage 3: (3, H, W) to (256, h, w); names as in torchvision."""

    def unit(x: Array, conv: str, norm: str, stride: int) -> Array:
        weight = weights[f"{conv}.weight"].astype(float)
        x = convolve(x, weight, None, stride, weight.shape[2] // 2)
        mean, variance, scale, shift = (
            weights[f"{norm}.{part}"].astype(float)[:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return np.asarray((x - mean) / np.sqrt(variance + 1e-5) * scale + shift)

    x = max_pool(np.maximum(unit(x, "conv1", "bn1", 2), 0), 3, 2, 1)
    for stage, stride in (("layer1", 1), ("layer2", 2), ("layer3", 2)):
        for block, step in ((f"{stage}.0", stride), (f"{stage}.1", 1)):
            y = np.maximum(unit(x, f"{block}.conv1", f"{block}.bn1", step), 0)
            y = unit(y, f"{block}.conv2", f"{block}.bn2", 1)
            if f"{block}.downsample.0.weight" in weights:
                x = unit(x, f"{block}.downsample.0", f"{block}.downsample.1", step)
            x = np.maximum(x + y, 0)
    return x


def rows_of(features: Array) -> Array:
    """(C, h, w) features to (h · w, C) L2-normalised cells."""
    rows = features.reshape(len(features), -1).T
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def normalised(pixels: NDArray[np.uint8], mean: Array, std: Array, scale: float = 255) -> Array:
    """(h, w, 3) uint8 to (3, h, w): (x / scale − mean) / std."""
    return np.asarray(((pixels / scale - mean) / std).transpose(2, 0, 1))


def random_vgg(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights that keep the signal's size: names as in `0.weight`."""
    random = np.random.default_rng(seed)
    weights: dict[str, NDArray[np.float32]] = {}
    for number, (outputs, inputs) in zip(VGG_CONVOLUTIONS, VGG_SHAPES, strict=True):
        drawn = random.standard_normal((outputs, inputs, 3, 3), dtype=np.float32)
        weights[f"{number}.weight"] = drawn * np.float32(math.sqrt(2 / (9 * inputs)))
        weights[f"{number}.bias"] = random.standard_normal(outputs, dtype=np.float32) * 0.1
    return weights
