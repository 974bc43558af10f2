"""The configuration of a training run, and its presets."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from place_search.training.errors import TrainingError
from place_search.training.loop.losses import MARGIN


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """All settings that decide what a run computes.

    Photos are cut to `width` × `height`. The backbone's last `train_last` units are trained with
    the NetVLAD layer, -1 for all. `batch` counts queries (triplet) or places (multi-similarity).
    `views` are drawn of each photo, a share `night` of them by night; 0 uses unaltered photos.
    `learning_rate` is the backbone's; `assignment_rate` and `centroid_rate` multiply it for the
    layer. The rate is halved every `halve_every` epochs, or follows a cosine to zero if that is 0.
    `base` is the similarity over which other places are pushed away (multi-similarity).
    `queries_a_cache` queries are mined at once, each with `negatives` of `negative_pool`.
    `validation` is the share of photos held out without validation data.
    """

    loss: Literal["triplet", "multi-similarity"] = "multi-similarity"
    width: int = 320
    height: int = 224
    train_last: int = 3
    epochs: int = 20
    batch: int = 16
    photos_a_place: int = 4
    views: int = 0
    night: float = 0.5
    base: float = 0.0
    margin: float = MARGIN
    negatives: int = 10
    negative_pool: int = 1000
    queries_a_cache: int = 1000
    optimizer: Literal["sgd", "adamw"] = "adamw"
    learning_rate: float = 3e-4
    assignment_rate: float = 100.0
    centroid_rate: float = 10.0
    momentum: float = 0.9
    weight_decay: float = 1e-4
    halve_every: int = 0
    patience: int = 10
    validation: float = 0.15
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    seed: int = 1


PRESETS: Mapping[str, TrainingConfig] = {
    # Arandjelović et al., appendix; conv5 and the layer, as pytorch-NetVlad trains VGG-16.
    "paper-vgg16": TrainingConfig(
        loss="triplet",
        width=640,
        height=480,
        train_last=3,
        epochs=30,
        batch=4,
        optimizer="sgd",
        learning_rate=1e-4,
        assignment_rate=1.0,
        centroid_rate=1.0,
        weight_decay=1e-3,
        halve_every=5,
    ),
    # Trains only the layer: the backbone runs once on each view, so that training is quick on a
    # CPU, and its local features, and so verification, do not change. `base` is about the
    # similarity of untrained descriptors of other places, so that similarities keep their size.
    "fast-lite0": TrainingConfig(train_last=0, epochs=4, base=0.2),
    "cpu-smoke": TrainingConfig(
        width=160,
        height=128,
        train_last=1,
        epochs=6,
        batch=8,
        photos_a_place=3,
        learning_rate=1e-3,
        assignment_rate=30.0,
        centroid_rate=3.0,
        patience=3,
    ),
}
"""Configurations by name."""

MAY_CHANGE = ("epochs", "learning_rate", "patience", "precision")
"""The settings that may change when a run is resumed."""


def preset(name: str, changes: Mapping[str, Any]) -> TrainingConfig:
    """A preset with `changes`; a change that is None keeps the preset's own value.

    Raises:
        TrainingError: there is no such preset, or a number that makes no sense.
    """
    if name not in PRESETS:
        raise TrainingError(f"There is no preset '{name}'; known are {', '.join(PRESETS)}.")
    replacements = {key: value for key, value in changes.items() if value is not None}
    config = replace(PRESETS[name], **replacements)
    if config.width < 64 or config.height < 64 or config.width % 32 or config.height % 32:
        raise TrainingError(
            f"Photos cannot be cut to {config.width} × {config.height}; give multiples of 32 from "
            "64 on, as in --size 320x224."
        )
    least = {"epochs": 1, "batch": 1, "negatives": 1, "photos_a_place": 2, "views": 0, "seed": 0}
    for key, minimum in least.items():
        if getattr(config, key) < minimum:
            raise TrainingError(
                f"{key} is {getattr(config, key)}; it must be {minimum} at least, so change it."
            )
    return config


def differences(earlier: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """The settings that differ from a run's `earlier` ones and may not change, as clauses."""
    return [
        f"{key} {earlier.get(key)} is now {value}"
        for key, value in current.items()
        if key not in MAY_CHANGE and earlier.get(key) != value
    ]
