"""Hard negatives: the photos of other places that a model finds most similar (NetVLAD, §5.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from place_search.core.progress import Progress, silent
from place_search.evaluation.truth.ground_truth import Rows
from place_search.training.config import TrainingConfig
from place_search.training.data.features import FeatureLoader, Item
from place_search.training.data.places import Places
from place_search.training.data.shards import Shards
from place_search.training.errors import TrainingError
from place_search.training.process_group import ProcessGroup
from place_search.training.split_network import Trained, weights_stamp

SHARD_BYTES = 64 << 20
BATCH = 16


@dataclass(frozen=True, slots=True)
class TrainingTuple:
    """A query, its best positive, and its hardest negatives, hardest first; as items."""

    query: Item
    positive: Item
    negatives: tuple[Item, ...]

    @property
    def items(self) -> list[Item]:
        """All of them in one list."""
        return [self.query, self.positive, *self.negatives]


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """What one query of a pass is compared with: rows of the database."""

    query: Item
    positives: Rows
    negatives: Rows


def plan_pass(
    places: Places,
    config: TrainingConfig,
    queries: Sequence[Item],
    random: np.random.Generator,
    remembered: Mapping[int, Rows],
) -> list[QueryPlan]:
    """Draw for each query the negatives that may become its hard ones.

    These are up to `negative_pool` random photos of other places, and the hard ones of last time.
    """
    plan = []
    for query in queries:
        row = query[0]
        others = np.setdiff1d(places.database, places.not_negatives[row], assume_unique=True)
        many = min(config.negative_pool, len(others))
        drawn = random.choice(others, many, replace=False) if many else others
        known = np.intersect1d(remembered.get(row, others[:0]), others)
        plan.append(QueryPlan(query, places.positives[row], np.union1d(drawn, known)))
    return plan


def mine(
    plan: Sequence[QueryPlan],
    config: TrainingConfig,
    inputs: FeatureLoader,
    trained: Trained,
    processes: ProcessGroup,
    folder: Path,
    stage: str = "",
    progress: Progress = silent,
) -> list[TrainingTuple]:
    """Describe what the plan needs, into shards in `folder`, and choose each query's tuple.

    The best positive is the nearest, the negatives are the nearest ones. Only queries of which a
    negative violates the margin come out: the others would teach nothing. In memory are the
    descriptors of the queries, those of one shard, and one number for each pair of the plan.
    """
    candidates = [np.r_[one.positives, one.negatives] for one in plan]
    rows = np.unique(np.concatenate(candidates))
    items = [one.query for one in plan] + [(row, 0) for row in rows.tolist()]
    step = max(1, SHARD_BYTES // (4 * trained.pool.dims))
    # Hashes of numbers are the same in every process.
    stamp = f"{weights_stamp(trained)} {hash(tuple(items))}"
    shards = Shards(folder, stamp, len(items), step)
    shards.fill(
        lambda part: describe(inputs, trained, items[part.start : part.stop]),
        processes,
        stage,
        progress,
    )
    queries = shards.take(np.arange(len(plan))).astype(np.float32)
    similarities = [np.zeros(len(known), dtype=np.float32) for known in candidates]
    for part, descriptors in shards.blocks():
        start, stop = max(part.start, len(plan)), part.stop
        if start >= stop:
            continue
        block = queries @ descriptors[start - part.start :].T
        here = rows[start - len(plan) : stop - len(plan)]
        for query, known in enumerate(candidates):
            inside = np.flatnonzero((known >= here[0]) & (known <= here[-1]))
            similarities[query][inside] = block[query, np.searchsorted(here, known[inside])]
    shards.close()
    chosen = (_choose(one, row, config) for one, row in zip(plan, similarities, strict=True))
    return [tuple_ for tuple_ in chosen if tuple_ is not None]


def _choose(
    one: QueryPlan, similarities: NDArray[np.float32], config: TrainingConfig
) -> TrainingTuple | None:
    """A query's tuple by its similarities to its positives and then its negatives."""
    count = len(one.positives)
    best = int(np.argmax(similarities[:count]))
    # ‖q − p‖² + m > ‖q − n‖², for descriptors of norm 1.
    hard = similarities[count:] + config.margin / 2 > similarities[best]
    if not hard.any():
        return None
    order = np.lexsort((one.negatives, -similarities[count:]))[: config.negatives]
    return TrainingTuple(
        one.query,
        (int(one.positives[best]), 0),
        tuple((int(row), 0) for row in one.negatives[order].tolist()),
    )


@torch.inference_mode()
def describe(inputs: FeatureLoader, trained: Trained, items: Sequence[Item]) -> NDArray[np.float32]:
    """The descriptors of items, (n, D).

    Raises:
        TrainingError: they are no numbers, as after steps that were too long.
    """
    batches = [items[at : at + BATCH] for at in range(0, len(items), BATCH)]
    parts = [trained(features).cpu().numpy() for features in inputs.stream(batches)]
    rows: NDArray[np.float32] = np.concatenate(parts)
    if not np.isfinite(rows).all():
        raise TrainingError(
            "The model has learnt weights whose descriptors are no numbers any more; go on from "
            "the last checkpoint with --resume and a lower --learning-rate."
        )
    return rows
