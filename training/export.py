"""Write a model in pytorch-NetVlad's layout, for programs that read that."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from place_search.core.files import telling_unwritable
from place_search.models import ModelCard, find_model, read_card
from place_search.models.aggregations.netvlad import netvlad_of
from place_search.models.importers.pytorch_netvlad import OWN
from place_search.models.network import Network, load_network
from place_search.models.weight_files.tensors import IMAGENET_MEAN, IMAGENET_SCALE, TORCHVISION
from place_search.training.errors import TrainingError
from place_search.training.loop.checkpoint import save_table


def export_checkpoint(model: str | Path, out: Path) -> ModelCard:
    """Write a model as `out`, a checkpoint as pytorch-NetVlad's training leaves it.

    The layout does not describe how photos are resized; an additional entry, which only
    place-search reads, does. Returns the model's card.

    Raises:
        TrainingError: the layout has no names for this backbone or for a whitening, or `out` exists
            or cannot be written.
        ModelError: there is no such model, or it has no weights.
    """
    folder = find_model(model)
    card = read_card(folder)
    card.require_weights()
    if out.exists():
        raise TrainingError(f"{out} exists already; choose another name or delete it.")
    if card.backbone not in TORCHVISION:
        raise TrainingError(
            f"'{card.id}' has the backbone {card.backbone}, for which pytorch-NetVlad's layout has "
            f"no names; it has them for {', '.join(TORCHVISION)}."
        )
    if card.whitened:
        raise TrainingError(
            f"'{card.id}' is whitened, for which pytorch-NetVlad's layout has no place; export the "
            "model that it was made from."
        )
    network = load_network(folder, card)
    training = card.fitting.get("training", {})
    recalls = {int(n): share / 100 for n, share in training.get("recall_after", {}).items()}
    table = {
        "epoch": int(training.get("best_epoch", 0)),
        "state_dict": _state(network),
        "recalls": recalls,
        "best_score": recalls.get(5, 0.0),
        "parallel": False,
        OWN: {"preprocessing": asdict(card.preprocessing)},
    }
    with telling_unwritable(out, TrainingError):
        out.parent.mkdir(parents=True, exist_ok=True)
        save_table(table, out)
    return card


def _state(network: Network) -> dict[str, Tensor]:
    """The weights under pytorch-NetVlad's names, for ImageNet's mean and deviation."""
    layers = network.backbone.get_submodule("layers").state_dict()
    first = next(iter(layers)).split(".")[0]
    weight = layers[f"{first}.weight"].clone()
    # (x − m) · s = ((x − m') · s') · s / s' + (m' − m) · s, which the first convolution absorbs.
    mean, scale = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_SCALE)
    shift = (mean - network.pixel_mean) * network.pixel_scale
    if not torch.allclose(network.pixel_scale, scale) or shift.abs().max() > 1e-3:
        bias = layers.get(f"{first}.bias")
        if bias is None:
            raise TrainingError(
                "The model's first layer has no bias, and its pixel values are not normalised as "
                "pytorch-NetVlad's are; export a model that was started from torchvision's weights."
            )
        layers[f"{first}.bias"] = bias + (weight * shift[:, None, None]).sum(dim=(1, 2, 3))
        weight = weight * (network.pixel_scale / scale)[:, None, None]
        layers[f"{first}.weight"] = weight
    state = {f"encoder.{name}": value.contiguous() for name, value in layers.items()}
    state["pool.centroids"] = netvlad_of(network).centroids.detach().clone()
    state["pool.conv.weight"] = netvlad_of(network).assignment.weight.detach().contiguous()
    offset = netvlad_of(network).assignment.bias
    if offset is not None:
        state["pool.conv.bias"] = offset.detach().clone()
    return state
