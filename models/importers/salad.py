"""SALAD, CliqueMining and MegaLoc: DINOv2 and optimal transport.

SALAD and CliqueMining publish the same layers, `backbone.model.*` and `aggregator.*`. MegaLoc has
`backbone.*` and `aggregator.agg.*`, and a linear layer behind, `aggregator.linear`.
"""

from place_search.models.aggregations.salad import SALAD
from place_search.models.layers import Whitening
from place_search.models.network import Network
from place_search.models.weight_files.checkpoint import WeightFile
from place_search.models.weight_files.dinov2 import take_dinov2
from place_search.models.weight_files.tensors import Tensors, Weights, normalise_as_imagenet
from place_search.photos.preprocessing import Preprocessing

FAMILY = "SALAD, CliqueMining and MegaLoc"


def matches(file: WeightFile) -> bool:
    """Whether a file is a checkpoint of this family."""
    return any(name in file.state for name in ("aggregator.dust_bin", "aggregator.agg.dust_bin"))


def read(file: WeightFile) -> Weights:
    """Build the network, which takes only photos of 322 × 322."""
    tensors = Tensors(file.path, FAMILY, file.state)
    is_megaloc = "aggregator.agg.dust_bin" in tensors
    prefix = "aggregator.agg." if is_megaloc else "aggregator."
    name, backbone = take_dinov2(tensors, "backbone." if is_megaloc else "backbone.model.")
    clusters, hidden = tensors.shape_of(f"{prefix}score.3.weight", 4)[:2]
    pool = SALAD(
        backbone.channels,
        clusters=clusters,
        hidden=hidden,
        cluster_dims=tensors.shape_of(f"{prefix}cluster_features.3.weight", 4)[0],
        token_dims=tensors.shape_of(f"{prefix}token_features.2.weight", 2)[0],
    )
    pool.dustbin.data.copy_(tensors.take(f"{prefix}dust_bin", ()))
    # The perceptrons of local features have a dropout, which is numbered, too.
    tensors.fill(pool.scores[0], f"{prefix}score.0")
    tensors.fill(pool.scores[2], f"{prefix}score.3")
    tensors.fill(pool.shorten[0], f"{prefix}cluster_features.0")
    tensors.fill(pool.shorten[2], f"{prefix}cluster_features.3")
    tensors.fill(pool.token[0], f"{prefix}token_features.0")
    tensors.fill(pool.token[2], f"{prefix}token_features.2")
    whitening = None
    if is_megaloc:
        whitening = Whitening(pool.dims, tensors.shape_of("aggregator.linear.weight", 2)[0])
        tensors.fill(whitening.projection, "aggregator.linear")
    tensors.finish()
    network = normalise_as_imagenet(Network(backbone, pool, whitening, gives_local=False))
    licence = "MIT" if is_megaloc else "GPL-3.0"
    return Weights(FAMILY, name, network, Preprocessing("exact", 322, 322), licence)
