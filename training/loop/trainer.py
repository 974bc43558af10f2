"""The training loop: from the checkpoint, or from the start, to the last epoch."""

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict

import torch
from torch import Tensor

from place_search.core.progress import Progress
from place_search.models.network import Network
from place_search.training.config import TrainingConfig
from place_search.training.data.features import FeatureLoader
from place_search.training.data.places import Places
from place_search.training.errors import TrainingError
from place_search.training.loop.checkpoint import (
    BEST,
    CHECKPOINT,
    RunState,
    load_table,
    load_weights,
    save_table,
)
from place_search.training.loop.curve import Board, Curve
from place_search.training.loop.epoch_batches import Batch, Part, PlacePasses, TuplePasses
from place_search.training.loop.losses import multi_similarity, triplet_ranking
from place_search.training.loop.optimizer import Optimizer
from place_search.training.loop.run_folder import RunFolder
from place_search.training.loop.validate import validate
from place_search.training.process_group import ProcessGroup
from place_search.training.split_network import FrozenPart, TrainedPart

BOARD_STEPS = 10


class Trainer:
    """A run over `places`, validated on `validation`, with its state in a run's folder."""

    def __init__(
        self,
        run: RunFolder,
        network: Network,
        split: tuple[FrozenPart, TrainedPart],
        config: TrainingConfig,
        places: Places,
        validation: Places,
        processes: ProcessGroup,
        progress: Progress,
        save_seconds: float,
    ) -> None:
        self._run, self._config, self._processes, self._progress = run, config, processes, progress
        self._validation = validation
        self._save_seconds, self._saved = save_seconds, time.monotonic()
        self._network = network
        frozen, self._trained = split
        features = run.path / "features"
        self._inputs = FeatureLoader(places, config, frozen, processes, features / "train")
        self._validation_inputs = FeatureLoader(
            validation, config, frozen, processes, features / "held-out"
        )
        self._passes = (
            PlacePasses(places, config, processes)
            if config.loss == "multi-similarity"
            else TuplePasses(self._inputs, self._trained, run.path, progress, self._save)
        )
        self._module = processes.wrap(self._trained)
        self._optimizer = Optimizer(self._trained, config, processes.device)
        self.state = RunState()
        if (run.path / CHECKPOINT).is_file():
            self._restore()
        self._curve = Curve(run.path, self.state.step)
        self._board = Board(run.path, self.state.step, writes=processes.is_main)

    def go(self) -> None:
        """Train to the end; the run's folder always holds the best weights up to now.

        Raises:
            TrainingError: the loss is not finite, a photo has disappeared, the disk is full.
        """
        state = self.state
        began, waited = time.monotonic() - state.seconds, state.waited
        try:
            if state.cached is None:
                state.cached = (
                    self._inputs.worth_caching() and self._validation_inputs.worth_caching()
                )
            if state.cached:
                self._inputs.cache("Describing photos", self._progress)
                self._validation_inputs.cache("Describing held-out", self._progress)
            if not state.first:
                state.first = state.best = self._validate()
                self._save_best()
                self._save()
            while not state.finished:
                self._epoch()
                state.seconds = time.monotonic() - began
                state.waited = waited + self._inputs.waited
                self._save()
        finally:
            self._inputs.close()
            self._validation_inputs.close()
            self._board.close()

    def load_best(self) -> None:
        """Load the weights with the best validation recall into the network."""
        path = self._run.path / BEST
        load_weights(self._network, load_table(path)["state_dict"], path)

    def _epoch(self) -> None:
        state, passes = self.state, self._passes
        while state.part < passes.count:
            self._pass()
            state.part, state.done = state.part + 1, 0
        state.epoch, state.part = state.epoch + 1, 0
        recall = self._validate()
        if _recall_order(recall) > _recall_order(state.best):
            state.best, state.best_epoch, state.since = recall, state.epoch, 0
            self._save_best()
        else:
            state.since += 1
        self._check_end()

    def _pass(self) -> None:
        state, count = self.state, self._passes.count
        batches = self._passes.batches(state.epoch, state.part)
        if not batches and self._config.loss == "multi-similarity":
            raise TrainingError(
                "No two photos are of places apart, so there is no batch to train on; give photos "
                "of more places, or a smaller --window or --negative-m."
            )
        remaining = batches[state.done :]
        features = self._inputs.stream(part.items for batch in remaining for part in batch)
        stage = f"Epoch {state.epoch + 1}" + (f", {state.part + 1} of {count}" if count > 1 else "")
        for batch in remaining:
            time_now = state.epoch + (state.part + state.done / len(batches)) / count
            rate = self._optimizer.rate(time_now, state.step)
            loss = self._step(batch, features, rate)
            state.done, state.step = state.done + 1, state.step + 1
            self._curve.add_loss(state.step, state.epoch + 1, loss, rate)
            if state.step % BOARD_STEPS == 0:
                self._board.add(state.step, {"loss": loss, "learning rate": rate})
            self._progress(stage, state.done, len(batches))

    def _step(self, batch: Batch, features: Iterator[Tensor], rate: float) -> float:
        self._optimizer.begin(rate)
        total = torch.zeros((), device=self._processes.device)
        for number, part in enumerate(batch, 1):
            last = number == len(batch)
            with nullcontext() if last else self._processes.unsynced(self._module):
                with self._optimizer.cast():
                    descriptors = self._module(next(features))
                loss = self._loss(descriptors, part) / len(batch)
                self._optimizer.backward(loss)
            # The sum of descriptors shows NaN even where the loss leaves out the pairs with NaN.
            total += loss.detach() + 0 * descriptors.detach().sum()
        value = self._processes.mean(total)
        if not math.isfinite(value):
            raise TrainingError(
                f"The loss of step {self.state.step + 1} is {value} at a learning rate of "
                f"{rate:g}; go on from the last checkpoint with --resume and a lower "
                "--learning-rate."
            )
        # A finite loss shows that the weights are good, so they may be saved.
        if time.monotonic() - self._saved >= self._save_seconds:
            self._save()
        self._optimizer.step()
        return value

    def _loss(self, descriptors: Tensor, part: Part) -> Tensor:
        if part.places is None:
            query, positive, negatives = descriptors[:1], descriptors[1:2], descriptors[2:]
            return triplet_ranking(query, positive[None], negatives[None], self._config.margin)
        places = torch.tensor(part.places, device=descriptors.device)
        return multi_similarity(descriptors, places, base=self._config.base)

    def _validate(self) -> dict[str, float]:
        state = self.state
        recall = validate(
            self._validation, self._config.views, self._validation_inputs, self._trained
        )
        self._curve.add_recall(state.step, state.epoch, recall)
        self._board.add(state.step, {f"recall@{n}": share for n, share in recall.items()})
        return {str(n): share for n, share in recall.items()}

    def _check_end(self) -> None:
        state, config = self.state, self._config
        state.finished = state.epoch >= config.epochs or state.since >= config.patience

    def _save_best(self) -> None:
        if self._processes.is_main:
            save_table({"state_dict": self._network.state_dict()}, self._run.path / BEST)

    def _save(self) -> None:
        """Write the run's state: the curve first, so that it is never behind the checkpoint."""
        self._saved = time.monotonic()
        if not self._processes.is_main:
            return
        self._curve.save()
        table = {
            "state_dict": self._network.state_dict(),
            "progress": asdict(self.state),
            **self._optimizer.state(),
        }
        save_table(table, self._run.path / CHECKPOINT)
        if self.state.done == 0:
            self._curve.draw()

    def _restore(self) -> None:
        path = self._run.path / CHECKPOINT
        table = load_table(path)
        load_weights(self._network, table["state_dict"], path)
        self._optimizer.load(table)
        self.state = RunState(**table["progress"])
        if self.state.finished:  # the resumed run may have more epochs or more patience
            self._check_end()


def _recall_order(recall: dict[str, float]) -> tuple[float, float]:
    """The key to compare recalls by: Recall@5, as in the paper, then Recall@1."""
    return recall["5"], recall["1"]
