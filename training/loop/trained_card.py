"""The card of a trained model."""

import subprocess
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from place_search.core.version import program_version
from place_search.indexer.sources.split import is_split
from place_search.models import ModelCard, Recall
from place_search.models.aggregations.netvlad import NetVLAD
from place_search.training.config import TrainingConfig
from place_search.training.data.places import Places
from place_search.training.loop.checkpoint import RunState
from place_search.training.loop.run_folder import RunFolder


def training_record(
    card: ModelCard,
    config: TrainingConfig,
    run: RunFolder,
    places: Places,
    state: RunState,
    about: str,
) -> dict[str, Any]:
    """What a card keeps of a run over `places`, which began with the model of `card`."""
    return {
        "from": card.id,
        "from_fingerprint": card.fingerprint,
        "data": places.kind,
        "about": about,
        "photos": len(places.used_rows),
        "queries": len(places.queries),
        "photos_skipped": len(run.skipped[0]),
        "photos_sha256": run.record["data"],
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "steps": state.step,
        "seconds": round(state.seconds),
        "waiting_for_photos_seconds": round(state.waited, 1),
        "revision": _revision(),
        "recall_before": {n: round(share, 1) for n, share in state.first.items()},
        "recall_after": {n: round(share, 1) for n, share in state.best.items()},
        "settings": asdict(config),
    }


def validation_recall(
    validation: Path | None, record: Mapping[str, Any], trained_on: int
) -> Recall:
    """The recall that a run reached; `trained_on` queries of `validation` are trained on too."""
    name = "held-out photos" if validation is None else validation.stem
    if validation is not None and not is_split(validation):
        name += " (validation)"  # other data may have a name such as val.csv, too
    size = f"{record['settings']['width']} × {record['settings']['height']}"
    note = f"before training {record['recall_before']['1']}, at {size}"
    if trained_on:
        note += f"; {trained_on} of its queries are trained on"
    return Recall(name, "measured", record["recall_after"], note)


def trained_card(
    card: ModelCard, name: str, pool: NetVLAD, record: Mapping[str, Any], recall: Recall
) -> ModelCard:
    """The card of the model `name`, which a run trained from the model of `card`."""
    plain = card.unwhitened()
    return replace(
        plain,
        id=name,
        title=f"{card.backbone} + NetVLAD, {len(pool.centroids)} clusters, trained on places",
        dims=pool.dims,
        files={},
        recall=(recall,),
        fitting={**plain.fitting, "training": record},
    )


def _revision() -> str:
    """The git revision if the program runs from its repository, else its version."""
    folder = Path(__file__).resolve().parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        process = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        return process.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return program_version()
