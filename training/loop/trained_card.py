"""The card of a trained model."""

import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from place_search.core.version import program_version
from place_search.indexer.sources.split import is_split
from place_search.models import ModelCard, Recall
from place_search.models.aggregations.netvlad import NetVLAD
from place_search.training.config import TrainingConfig
from place_search.training.data.open_places import TrainingData
from place_search.training.data.places import Places
from place_search.training.loop.run_folder import RunFolder
from place_search.training.loop.trainer import Trainer


def trained_card(
    card: ModelCard,
    out: Path,
    config: TrainingConfig,
    data: TrainingData,
    about: str,
    run: RunFolder,
    places: Places,
    trainer: Trainer,
    pool: NetVLAD,
    trained_on: int,
) -> ModelCard:
    """The card of the model that a run trained from the model of `card`.

    `trained_on` is the number of queries for validation that are trained on.
    """
    state = trainer.state
    training: dict[str, Any] = {
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
    data_name = "held-out photos" if data.validation is None else data.validation.stem
    if data.validation is not None and not is_split(data.validation):
        data_name += " (validation)"  # other data may have a name such as val.csv, too
    note = f"before training {training['recall_before']['1']}, at {config.width} × {config.height}"
    if trained_on:
        note += f"; {trained_on} of its queries are trained on"
    plain = card.unwhitened()
    return replace(
        plain,
        id=out.name,
        title=f"{card.backbone} + NetVLAD, {len(pool.centroids)} clusters, trained on places",
        dims=pool.dims,
        files={},
        recall=(Recall(data_name, "measured", training["recall_after"], note),),
        fitting={**plain.fitting, "training": training},
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
