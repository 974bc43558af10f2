"""BoQ: `aggregator.boqs.*` on a ResNet's `backbone.net.*` or a DINOv2's `backbone.dino.*`."""

import torch
from torch import Tensor, nn

from place_search.models.aggregations.boq import HEAD, Attention, BoQ
from place_search.models.network import Network
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.dinov2 import take_dinov2
from place_search.models.weight_files.tensors import Tensors, Weights, normalise_as_imagenet
from place_search.photos.preprocessing import Preprocessing

FAMILY = "BoQ"
_BLOCKS = "aggregator.boqs."
_QUERIES = f"{_BLOCKS}0.queries"
_PARTS = {
    "attended": "encoder.norm1",
    "widen": "encoder.linear1",
    "narrow": "encoder.linear2",
    "refined": "encoder.norm2",
    "found": "norm_out",
}


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    return _QUERIES in file.state


def read(file: WeightFile) -> Weights:
    """Build the network: ResNet to conv4, for 384 × 384, or DINOv2, for 322 × 322."""
    tensors = Tensors(file.path, FAMILY, file.state)
    if "backbone.dino.cls_token" in tensors:
        size = 322
        name, backbone = take_dinov2(tensors, "backbone.dino.", "-no-norm")
        tensors.drop("backbone.dino.norm.weight")
        tensors.drop("backbone.dino.norm.bias")
    else:
        size = 384
        name, backbone = tensors.take_backbone("backbone.net.")
    queries, width = tensors.shape_of(_QUERIES, 3)[1:]
    if width % HEAD:
        raise tensors.error(f"has {_QUERIES} of {width} numbers, which are no multiple of {HEAD}")
    pool = BoQ(
        backbone.channels,
        width=width,
        hidden=tensors.shape_of(f"{_BLOCKS}0.encoder.linear1.weight", 2)[0],
        blocks=tensors.count(_BLOCKS),
        queries=queries,
        rows=tensors.shape_of("aggregator.fc.weight", 2)[0],
    )
    tensors.fill(pool.fewer_channels, "aggregator.proj_c")
    tensors.fill(pool.norm, "aggregator.norm_input")
    for number, block in enumerate(pool.blocks):
        prefix = f"{_BLOCKS}{number}."
        for part, published in _PARTS.items():
            tensors.fill(block.get_submodule(part), f"{prefix}{published}")
        for part, published in (("attention", "encoder.self_attn"), ("search", "cross_attn")):
            _fill_attention(tensors, block.get_submodule(part), f"{prefix}{published}", width)
        block.get_parameter("queries").data.copy_(_attended(tensors, prefix, queries, width))
    tensors.fill(pool.rows, "aggregator.fc")
    tensors.finish()
    network = normalise_as_imagenet(Network(backbone, pool, gives_local=False))
    return Weights(FAMILY, name, network, Preprocessing("exact", size, size), "MIT")


@torch.no_grad()
def _attended(tensors: Tensors, prefix: str, queries: int, width: int) -> Tensor:
    """The output of a block's self-attention of queries, which is the same for every photo."""
    own_queries = tensors.take(f"{prefix}queries", (1, queries, width))
    attention, norm = Attention(width), nn.LayerNorm(width)
    _fill_attention(tensors, attention, f"{prefix}self_attn", width)
    tensors.fill(norm, f"{prefix}norm_q")
    attended: Tensor = norm(own_queries + attention(own_queries, own_queries))
    return attended


def _fill_attention(tensors: Tensors, attention: nn.Module, name: str, width: int) -> None:
    """Take the weights of an attention, whose three projections are one matrix in torch."""
    weights = tensors.take(f"{name}.in_proj_weight", (3 * width, width)).chunk(3)
    biases = tensors.take(f"{name}.in_proj_bias", (3 * width,)).chunk(3)
    for part, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
        attention.get_submodule(part).load_state_dict({"weight": weight, "bias": bias})
    tensors.fill(attention.get_submodule("output"), f"{name}.out_proj")
