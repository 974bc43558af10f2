"""Compares published implementations with place-search: the cosine for equal weights and pixels.

python -m bench.published CLONES [--full]

CLONES holds clones of the five projects under their own names; this repository has none of their
code. The weights are random, in each family's own file layout (tests/models/families.py).
"""

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models
from torchvision.transforms import Normalize

from place_search.models.runtimes.torch_runtime import embed_with
from place_search.models.weight_files.checkpoint import load_checkpoint, state_of
from place_search.models.weight_files.read import read_weights
from tests.models import families

K = families.CLUSTERS
IMAGENET = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
CAFFE = Normalize(
    [0.48501960784313836, 0.4579568627450961, 0.4076039215686255], [1 / 255, 1 / 255, 1 / 255]
)


def module(clone: Path, name: str) -> Any:
    """A module of a clone; packages that it needs only for training are replaced by mocks."""
    sys.path.insert(0, str(clone))
    try:
        return _stubbing(lambda: importlib.import_module(name))
    finally:
        sys.path.remove(str(clone))


def _stubbing(load: Callable[[], ModuleType]) -> Any:
    for _ in range(40):
        try:
            return load()
        except ModuleNotFoundError as error:
            sys.modules[str(error.name)] = MagicMock()
    raise SystemExit("Too many packages are missing.")


def part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights under a prefix, without it."""
    return {
        name.removeprefix(prefix): value.float()
        for name, value in state.items()
        if name.startswith(prefix)
    }


def vgg() -> nn.Sequential:
    """VGG-16 up to the layer that all these projects use."""
    return nn.Sequential(*list(models.vgg16(weights=None).features.children())[:-2])


def pytorch_netvlad(clones: Path, file: Path, photo: Tensor) -> Tensor:
    """pytorch-NetVlad: its NetVLAD layer on its encoder."""
    # Loaded by its path, as other modules have the same name.
    loader = SourceFileLoader("theirs", str(clones / "pytorch-NetVlad" / "netvlad.py"))
    spec = importlib.util.spec_from_loader("theirs", loader)
    if spec is None:
        raise SystemExit("pytorch-NetVlad cannot be loaded.")
    layer = importlib.util.module_from_spec(spec)

    def load() -> ModuleType:
        loader.exec_module(layer)
        return layer

    _stubbing(load)
    state = state_of(load_checkpoint(file), file)
    encoder, pool = vgg(), layer.NetVLAD(num_clusters=K, dim=512, vladv2=False)
    encoder.load_state_dict(part(state, "encoder."))
    pool.load_state_dict(part(state, "pool."))
    descriptor: Tensor = pool(encoder(IMAGENET(photo)))
    return descriptor


def patch_netvlad(clones: Path, file: Path, photo: Tensor) -> Tensor:
    """Patch-NetVLAD: get_model and get_pca_encoding."""
    generic = module(clones / "Patch-NetVLAD", "patchnetvlad.models.models_generic")
    table = load_checkpoint(file)

    class Config(dict[str, str]):
        def getboolean(self, key: str) -> bool:
            return self[key] == "true"

    config = Config(pooling="netvlad", num_clusters=str(K), vladv2="false", num_pcs="8")
    model = generic.get_model(vgg(), 512, config, append_pca_layer=True)
    model.load_state_dict(part(table["state_dict"], ""))
    descriptor: Tensor = generic.get_pca_encoding(model, model.pool(model.encoder(IMAGENET(photo))))
    return descriptor


def openibl(clones: Path, file: Path, photo: Tensor) -> Tensor:
    """OpenIBL: EmbedNetPCA on its VGG."""
    clone = clones / "OpenIBL"
    layers = module(clone, "ibl.models.netvlad")
    base = module(clone, "ibl.models.vgg").VGG(16, pretrained=False)
    model = layers.EmbedNetPCA(base, layers.NetVLAD(num_clusters=K, dim=512), dim=8)
    model.load_state_dict(load_checkpoint(file))
    descriptor: Tensor = model.eval()(CAFFE(photo))
    return descriptor


def deep_vg(clones: Path, file: Path, photo: Tensor) -> Tensor:
    """deep-visual-geo-localization-benchmark: its NetVLAD on its ResNet-18 to conv4."""
    clone = clones / "deep-visual-geo-localization-benchmark"
    pool = module(clone, "model.aggregation").NetVLAD(clusters_num=K, dim=256)
    backbone = nn.Sequential(*list(models.resnet18(weights=None).children())[:-3])
    state = state_of(load_checkpoint(file), file)
    backbone.load_state_dict(part(state, "backbone."))
    pool.load_state_dict(part(state, "aggregation."))
    descriptor: Tensor = pool(backbone.eval()(IMAGENET(photo)))
    return descriptor


def hloc(clones: Path, file: Path, photo: Tensor) -> Tensor:
    """hloc: its NetVLAD extractor, which takes the file from torch's cache."""
    name = "VGG16-NetVLAD-Pitts30K"
    cache = file.parent / "hub" / "netvlad"
    cache.mkdir(parents=True)
    (cache / f"{name}.mat").symlink_to(file)
    torch.hub.set_dir(str(cache.parent))
    extractor = module(clones / "Hierarchical-Localization", "hloc.extractors.netvlad")
    model = extractor.NetVLAD({"model_name": name, "whiten": True}).eval()
    descriptor: Tensor = model({"image": photo})["global_descriptor"]
    return descriptor


Implementation = Callable[[Path, Path, Tensor], Tensor]
PUBLISHED: Mapping[str, tuple[str, Implementation]] = {
    "pytorch-NetVlad": ("pytorch-netvlad-v1.pth.tar", pytorch_netvlad),
    "Patch-NetVLAD": ("patch-netvlad.pth.tar", patch_netvlad),
    "OpenIBL": ("openibl.pth", openibl),
    "deep-visual-geo-localization-benchmark": ("deep-vg.pth", deep_vg),
    "hloc": ("struct.mat", hloc),
}


def agreement(name: str, clones: Path, pixels: NDArray[np.uint8]) -> float:
    """The cosine of a published implementation's descriptor and place-search's."""
    file, implementation = PUBLISHED[name]
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / file
        families.FAMILIES[file]().write(path)
        photo = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        expected = functional.normalize(
            implementation(clones, path, photo).double().flatten(), dim=0
        )
        descriptor = embed_with(read_weights(path).network, pixels).descriptor.astype(float)
    return float(expected.numpy() @ descriptor)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clones", type=Path)
    parser.add_argument("--full", action="store_true", help="640 × 480 in place of 320 × 240")
    options: Any = parser.parse_args()
    height, width = (480, 640) if options.full else (240, 320)
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for name in PUBLISHED:
        print(f"{name}: {agreement(name, options.clones, pixels):.9f}")


if __name__ == "__main__":
    main()
