"""Trains in processes that end themselves at given moments, the last of them to the end."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.utils.tensorboard

from place_search.core.files import sha256_of
from place_search.models import ModelCard, write_card
from place_search.models.card import WEIGHTS_NAME
from place_search.models.network import Network, save_network
from place_search.training import TrainingData, preset, train
from place_search.training.loop import train as run_module
from place_search.training.loop.curve import Curve

LOADED = torch.utils.tensorboard
"""What a run imports late, here once for all processes."""
MEAN_PHOTOS = 3
"""Of the photos of a run, 36, whose mean takes longer than the run."""


def write_plainly(network: Network, card: ModelCard, out: Path) -> ModelCard:
    """A model folder without the graph, whose export takes longer than a small run."""
    out.mkdir()
    save_network(network, out)
    card = replace(card, files={WEIGHTS_NAME: sha256_of(out / WEIGHTS_NAME)})
    write_card(card, out)
    return card


def draw_nothing(curve: Curve) -> None:
    """No picture of the curve, which takes half of a small run."""


def main() -> None:
    """The argument: runs as data, validation, model to write, changes and moments `stage done`."""
    torch.set_num_threads(1)
    setattr(run_module, "write_model", write_plainly)  # noqa: B010 - not exported
    setattr(run_module, "MEAN_PHOTOS", MEAN_PHOTOS)  # noqa: B010
    setattr(Curve, "draw", draw_nothing)  # noqa: B010
    for run in json.loads(sys.argv[1]):
        run_killed(*run)


def run_killed(
    data: str, validation: str, out: str, changes: dict[str, Any], moments: list[str]
) -> None:
    """Run in processes that end at the moments, and to the end in this one."""
    config = preset("cpu-smoke", changes)

    def run(*, resume: bool, until: str) -> None:
        def report(stage: str, done: int, total: int) -> None:
            if f"{stage} {done}" == until:
                os.kill(os.getpid(), signal.SIGKILL)

        train(
            TrainingData(Path(data), Path(validation)),
            Path(out),
            config=config,
            model=None if Path(out).exists() else "lite0-netvlad",
            resume=resume,
            save_seconds=0,
            progress=report,
        )

    for number, moment in enumerate(moments):
        child = os.fork()
        if child == 0:
            run(resume=number > 0, until=moment)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(Path(out).name, "killed" if os.WIFSIGNALED(status) else "came to its end")  # noqa: T201
    run(resume=bool(moments), until="")


if __name__ == "__main__":
    main()
