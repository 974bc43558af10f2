"""The batches of an epoch: of places, or of tuples mined pass by pass."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from place_search.core.files import write_whole
from place_search.core.progress import Progress
from place_search.core.text import parse_json
from place_search.evaluation.truth.ground_truth import Rows
from place_search.training.config import TrainingConfig
from place_search.training.data.batches import place_batches
from place_search.training.data.features import FeatureLoader, Item
from place_search.training.data.mining import TrainingTuple, mine, plan_pass
from place_search.training.data.places import Places
from place_search.training.loop.run_folder import MINED
from place_search.training.process_group import ProcessGroup
from place_search.training.split_network import TrainedPart


@dataclass(frozen=True, slots=True)
class Part:
    """Photos of a backward pass; `places` are the numbers of their places, None for a tuple."""

    items: Sequence[Item]
    places: Sequence[int] | None = None


Batch = list[Part]


class PlacePasses:
    """Multi-similarity: an epoch is a single pass over batches of places."""

    count = 1

    def __init__(self, places: Places, config: TrainingConfig, processes: ProcessGroup) -> None:
        self._places, self._config, self._processes = places, config, processes

    def batches(self, epoch: int, part: int) -> list[Batch]:
        """This process's batches."""
        place_groups = place_batches(self._places, self._config, epoch, self._processes)
        return [
            [
                Part(
                    [item for _, items in batch for item in items],
                    [number for number, items in batch for _ in items],
                )
            ]
            for batch in place_groups
        ]


class TuplePasses:
    """Triplets: `queries_a_cache` queries are mined at once, then trained on.

    Mined tuples are saved before training on them, so that a killed run continues with the same
    tuples.
    """

    def __init__(
        self,
        inputs: FeatureLoader,
        trained: TrainedPart,
        folder: Path,
        progress: Progress,
        save: Callable[[], None],
    ) -> None:
        self._places, self._config, self._processes = inputs.places, inputs.config, inputs.processes
        self._inputs, self._trained = inputs, trained
        self._folder, self._progress, self._save = folder, progress, save
        self._remembered: dict[int, Rows] = {}
        self.count = math.ceil(len(self._places.queries) / self._config.queries_a_cache)

    def batches(self, epoch: int, part: int) -> list[Batch]:
        """This process's batches, one part a tuple."""
        parts = [Part(mined.items) for mined in self._processes.share(self._tuples(epoch, part))]
        size = self._config.batch
        return [parts[start : start + size] for start in range(0, len(parts), size)]

    def _tuples(self, epoch: int, part: int) -> list[TrainingTuple]:
        path = self._folder / MINED
        if path.is_file():
            saved = parse_json(path.read_text("utf-8"))
            self._remembered = {
                int(row): np.array(rows, dtype=np.int64)
                for row, rows in saved["remembered"].items()
            }
            if saved["pass"] == [epoch, part]:
                return [_tuple(items) for items in saved["tuples"]]
        tuples = self._mine(epoch, part)
        for mined in tuples:
            self._remembered[mined.query[0]] = np.array([row for row, _ in mined.negatives])
        self._processes.wait_for_all()
        if self._processes.is_main:
            # The saved tuples of the previous pass are needed until a checkpoint is past them.
            self._save()
            table = {
                "pass": [epoch, part],
                "tuples": [mined.items for mined in tuples],
                "remembered": {row: rows.tolist() for row, rows in self._remembered.items()},
            }
            write_whole(path, json.dumps(table).encode())
        self._processes.wait_for_all()
        return tuples

    def _mine(self, epoch: int, part: int) -> list[TrainingTuple]:
        config = self._config
        order = np.random.default_rng((config.seed, epoch)).permutation(self._places.queries)
        start = part * config.queries_a_cache
        rows = order[start : start + config.queries_a_cache].tolist()
        # With views, a query is another view of its photo in each epoch.
        views = config.views
        queries = [(row, 1 + (row + epoch) % views if views else 0) for row in rows]
        random = np.random.default_rng((config.seed, epoch, part))
        return mine(
            plan_pass(self._places, config, queries, random, self._remembered),
            config,
            self._inputs,
            self._trained,
            self._processes,
            self._folder / "mining",
            f"Mining {epoch + 1}.{part + 1}",
            self._progress,
        )


def _tuple(items: Sequence[Sequence[int]]) -> TrainingTuple:
    query, positive, *negatives = ((row, view) for row, view in items)
    return TrainingTuple(query, positive, tuple(negatives))
