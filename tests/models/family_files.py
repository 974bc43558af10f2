"""Checkpoints of descriptor families with random weights, each with a float64 reference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision import models

from place_search.models import Aggregation
from place_search.photos import Preprocessing

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


def layer_norm(x: Tensor, state: State, name: str, eps: float) -> Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    unit = centred / (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    return unit * state[f"{name}.weight"] + state[f"{name}.bias"]


def linear(x: Tensor, state: State, name: str) -> Tensor:
    return x @ state[f"{name}.weight"].flatten(1).T + state[f"{name}.bias"]


def attention(asking: Tensor, asked: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Heads of 64 numbers, one after the other; (q, W) and (n, W) to (q, W), no output layer."""
    width = asking.shape[1]
    query = asking @ weight[:width].T + bias[:width]
    key = asked @ weight[width : 2 * width].T + bias[width : 2 * width]
    value = asked @ weight[2 * width :].T + bias[2 * width :]
    heads = []
    for start in range(0, width, 64):
        part = slice(start, start + 64)
        shares = (query[:, part] @ key[:, part].T / 8).softmax(dim=1)
        heads.append(shares @ value[:, part])
    return torch.cat(heads, dim=1)


def random_dinov2(width: int, blocks: int) -> State:
    """DINOv2's published layers, its positions those of 23 × 23 patches."""
    state = {
        "cls_token": normal(1, 1, width, scale=0.5),
        "pos_embed": normal(1, 530, width, scale=0.5),
        "mask_token": torch.zeros(1, width),
        "patch_embed.proj.weight": normal(width, 3, 14, 14),
        "patch_embed.proj.bias": normal(width, scale=0.1),
    }
    for number in range(blocks):
        prefix = f"blocks.{number}"
        state |= random_norm(f"{prefix}.norm1", width)
        state |= random_layer(f"{prefix}.attn.qkv", 3 * width, width)
        state |= random_layer(f"{prefix}.attn.proj", width, width)
        state[f"{prefix}.ls1.gamma"] = normal(width, scale=0.3)
        state |= random_norm(f"{prefix}.norm2", width)
        state |= random_layer(f"{prefix}.mlp.fc1", 4 * width, width)
        state |= random_layer(f"{prefix}.mlp.fc2", width, 4 * width)
        state[f"{prefix}.ls2.gamma"] = normal(width, scale=0.3)
    return {**state, **random_norm("norm", width)}


def random_norm(name: str, width: int) -> State:
    return {
        f"{name}.weight": 1 + normal(width, scale=0.1),
        f"{name}.bias": normal(width, scale=0.1),
    }


def random_layer(name: str, *shape: int) -> State:
    return {f"{name}.weight": normal(*shape), f"{name}.bias": normal(shape[0], scale=0.1)}


def dinov2(pixels: Tensor, state: State, blocks: int) -> Tensor:
    """The tokens behind the last norm, (530, W); the class token is the first."""
    kernel = state["patch_embed.proj.weight"].flatten(1)
    patches = functional.unfold(pixels, 14, stride=14)[0].T @ kernel.T
    patches = patches + state["patch_embed.proj.bias"]
    x = torch.cat((state["cls_token"][0], patches)) + state["pos_embed"][0]
    for number in range(blocks):
        name = f"blocks.{number}"
        y = layer_norm(x, state, f"{name}.norm1", 1e-6)
        y = attention(y, y, state[f"{name}.attn.qkv.weight"], state[f"{name}.attn.qkv.bias"])
        x = x + state[f"{name}.ls1.gamma"] * linear(y, state, f"{name}.attn.proj")
        y = linear(layer_norm(x, state, f"{name}.norm2", 1e-6), state, f"{name}.mlp.fc1")
        y = y * (1 + torch.erf(y / 2**0.5)) / 2
        x = x + state[f"{name}.ls2.gamma"] * linear(y, state, f"{name}.mlp.fc2")
    return layer_norm(x, state, "norm", 1e-6)


def megaloc() -> Family:
    """On DINOv2's ViT-S/14, the smallest, with few clusters."""
    torch.manual_seed(4)
    width, blocks, clusters = 384, 12, 6
    published = random_dinov2(width, blocks)
    pool = {
        "dust_bin": torch.tensor(1.3),
        **random_layer("token_features.0", 16, width),
        **random_layer("token_features.2", 10, 16),
        **random_layer("cluster_features.0", 16, width, 1, 1),
        **random_layer("cluster_features.3", 8, 16, 1, 1),
        **random_layer("score.0", 16, width, 1, 1),
        **random_layer("score.3", clusters, 16, 1, 1),
    }
    pool["score.3.weight"] *= 4
    whole = 10 + 8 * clusters
    state = {
        **{f"backbone.{name}": value for name, value in published.items()},
        **{f"aggregator.agg.{name}": value for name, value in pool.items()},
        **random_layer("aggregator.linear", 12, whole),
    }
    exact = {name: value.double() for name, value in (published | pool).items()}
    last = {name: value.double() for name, value in state.items() if "linear" in name}

    def perceptron(x: Tensor, first: str, second: str) -> Tensor:
        return linear(linear(x, exact, first).clamp(min=0), exact, second)

    def descriptor(pixels: Tensor) -> Tensor:
        token, *_ = tokens = dinov2(pixels, exact, blocks)
        cells = tokens[1:]
        scores = perceptron(cells, "score.0", "score.3")
        shares = torch.cat((scores, exact["dust_bin"].expand(len(cells), 1)), dim=1).exp()
        takes = torch.tensor([1.0] * clusters + [len(cells) - clusters]).double()
        for _ in range(3):
            shares = shares * takes / shares.sum(dim=0)
            shares = shares / shares.sum(dim=1, keepdim=True)
        short = perceptron(cells, "cluster_features.0", "cluster_features.3")
        sums = functional.normalize(short.T @ shares[:, :clusters], dim=0)
        of_token = perceptron(token, "token_features.0", "token_features.2")
        parts = torch.cat((functional.normalize(of_token, dim=0), sums.flatten()))
        projected = linear(functional.normalize(parts, dim=0), last, "aggregator.linear")
        return functional.normalize(projected, dim=0)

    sizes = {"clusters": clusters, "hidden": 16, "cluster_dims": 8, "token_dims": 10}
    return Family(
        "SALAD, CliqueMining and MegaLoc",
        "dinov2-vits14",
        state,
        descriptor,
        Aggregation("salad", sizes),
        Preprocessing("exact", 322, 322),
    )


def boq() -> Family:
    torch.manual_seed(5)
    backbone = resnet(shaken(models.resnet18(weights=None)), 7)
    width, queries, blocks = 128, 5, 2
    pool = {**random_layer("proj_c", width, 256, 3, 3), **random_norm("norm_input", width)}
    for number in range(blocks):
        name = f"boqs.{number}"
        pool[f"{name}.queries"] = normal(1, queries, width, scale=1.0)
        for part in ("encoder.self_attn", "self_attn", "cross_attn"):
            pool[f"{name}.{part}.in_proj_weight"] = normal(3 * width, width)
            pool[f"{name}.{part}.in_proj_bias"] = normal(3 * width, scale=0.1)
            pool |= random_layer(f"{name}.{part}.out_proj", width, width)
        pool |= random_layer(f"{name}.encoder.linear1", 4 * width, width)
        pool |= random_layer(f"{name}.encoder.linear2", width, 4 * width)
        for part in ("encoder.norm1", "encoder.norm2", "norm_q", "norm_out"):
            pool |= random_norm(f"{name}.{part}", width)
    pool |= random_layer("fc", 3, blocks * queries)
    given = {name: value.double() for name, value in pool.items()}
    state = {
        **named("backbone.net.", backbone),
        **{f"aggregator.{name}": value for name, value in pool.items()},
    }
    exact = backbone.double()

    def norm(x: Tensor, name: str) -> Tensor:
        return layer_norm(x, given, name, 1e-5)

    def attend(asking: Tensor, asked: Tensor, name: str) -> Tensor:
        found = attention(
            asking, asked, given[f"{name}.in_proj_weight"], given[f"{name}.in_proj_bias"]
        )
        return linear(found, given, f"{name}.out_proj")

    def descriptor(pixels: Tensor) -> Tensor:
        kernel, bias = given["proj_c.weight"], given["proj_c.bias"]
        x = norm(
            functional.conv2d(exact(pixels), kernel, bias, padding=1)[0].flatten(1).T, "norm_input"
        )
        answers = []
        for number in range(blocks):
            name = f"boqs.{number}"
            x = norm(x + attend(x, x, f"{name}.encoder.self_attn"), f"{name}.encoder.norm1")
            hidden = linear(x, given, f"{name}.encoder.linear1").clamp(min=0)
            x = norm(x + linear(hidden, given, f"{name}.encoder.linear2"), f"{name}.encoder.norm2")
            asked = given[f"{name}.queries"][0]
            asked = norm(asked + attend(asked, asked, f"{name}.self_attn"), f"{name}.norm_q")
            answers.append(norm(attend(asked, x, f"{name}.cross_attn"), f"{name}.norm_out"))
        rows = linear(torch.cat(answers).T, given, "fc")
        return functional.normalize(rows.flatten(), dim=0)

    sizes = {"width": width, "hidden": 4 * width, "blocks": blocks, "queries": queries, "rows": 3}
    return Family(
        "BoQ",
        "resnet18",
        state,
        descriptor,
        Aggregation("boq", sizes),
        Preprocessing("exact", 384, 384),
    )


def conv_ap() -> Family:
    """Of 2 × 2 regions, on a narrower ResNet than the published one."""
    torch.manual_seed(8)
    backbone_and_fc = shaken(models.resnet18(weights=None))
    state = {
        name: value
        for name, value in named("backbone.model.", backbone_and_fc).items()
        if not name.startswith("backbone.model.fc")
    }
    state |= random_layer("aggregator.channel_pool", 20, 512, 1, 1)
    exact = resnet(backbone_and_fc, 8).double()
    given = {name: value.double() for name, value in state.items()}

    def descriptor(pixels: Tensor) -> Tensor:
        local = exact(pixels)[0]
        few = linear(local.flatten(1).T, given, "aggregator.channel_pool").T
        means = few.reshape(20, 2, 5, 2, 5).mean(dim=(2, 4))
        return functional.normalize(means.flatten(), dim=0)

    return Family(
        "Conv-AP",
        "resnet18-conv5",
        state,
        descriptor,
        Aggregation("conv-ap", {"grid": [10, 10], "channels_out": 20, "regions": [2, 2]}),
        Preprocessing("exact", 320, 320),
    )


FAMILIES: Mapping[str, Callable[[], Family]] = {
    "boq": boq,
    "conv-ap": conv_ap,
    "cosplace": cosplace,
    "gem": gem,
    "megaloc": megaloc,
    "mixvpr": mixvpr,
}
