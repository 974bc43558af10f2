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
from place_search.training.split_network import TrainedPart, weights_stamp

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
        """Query, positive and negatives in one list."""
        return [self.query, self.positive, *self.negatives]


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """The database rows that a query of a pass is compared with."""

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
    """Draw the candidates for each query's hard negatives.

    These are up to `negative_pool` random photos of other places, and the query's previous hard
    negatives, `remembered`.
    """
    plan = []
    for query in queries:
        row = query[0]
        candidates = np.setdiff1d(places.database, places.not_negatives[row], assume_unique=True)
        count = min(config.negative_pool, len(candidates))
        sample = random.choice(candidates, count, replace=False) if count else candidates
        still_negative = np.intersect1d(remembered.get(row, candidates[:0]), candidates)
        plan.append(QueryPlan(query, places.positives[row], np.union1d(sample, still_negative)))
    return plan


def mine(
    plan: Sequence[QueryPlan],
    config: TrainingConfig,
    inputs: FeatureLoader,
    trained: TrainedPart,
    processes: ProcessGroup,
    folder: Path,
    stage: str = "",
    progress: Progress = silent,
) -> list[TrainingTuple]:
    """Describe the plan's photos, into shards in `folder`, and choose each query's tuple.

    The best positive is the nearest positive, the negatives are the nearest negatives. Only queries
    with a negative that violates the margin are returned: others have no gradient. In memory are
    the descriptors of the queries, those of one shard, and a number for each pair of the plan.
    """
    candidates = [np.r_[query_plan.positives, query_plan.negatives] for query_plan in plan]
    rows = np.unique(np.concatenate(candidates))
    items = [query_plan.query for query_plan in plan] + [(row, 0) for row in rows.tolist()]
    step = max(1, SHARD_BYTES // (4 * trained.pool.dims))
    # Unlike hashes of texts, hashes of numbers are the same in every process.
    stamp = f"{weights_stamp(trained)} {hash(tuple(items))}"
    shards = Shards(folder, stamp, len(items), step)
    shards.fill(
        lambda part: describe(inputs, trained, items[part.start : part.stop]),
        processes,
        stage,
        progress,
    )
    queries = shards.take(np.arange(len(plan))).astype(np.float32)
    similarities = [
        np.zeros(len(candidate_rows), dtype=np.float32) for candidate_rows in candidates
    ]
    for part, descriptors in shards.blocks():
        start, stop = max(part.start, len(plan)), part.stop
        if start >= stop:
            continue
        block = queries @ descriptors[start - part.start :].T
        shard_rows = rows[start - len(plan) : stop - len(plan)]
        for query, candidate_rows in enumerate(candidates):
            inside = np.flatnonzero(
                (candidate_rows >= shard_rows[0]) & (candidate_rows <= shard_rows[-1])
            )
            similarities[query][inside] = block[
                query, np.searchsorted(shard_rows, candidate_rows[inside])
            ]
    shards.close()
    tuples = (
        _choose(query_plan, row, config) for query_plan, row in zip(plan, similarities, strict=True)
    )
    return [tuple_ for tuple_ in tuples if tuple_ is not None]


def _choose(
    plan: QueryPlan, similarities: NDArray[np.float32], config: TrainingConfig
) -> TrainingTuple | None:
    """A query's tuple by its similarities to its positives and then its negatives."""
    count = len(plan.positives)
    best = int(np.argmax(similarities[:count]))
    # ‖q − p‖² + m > ‖q − n‖², for descriptors of norm 1.
    hard = similarities[count:] + config.margin / 2 > similarities[best]
    if not hard.any():
        return None
    order = np.lexsort((plan.negatives, -similarities[count:]))[: config.negatives]
    return TrainingTuple(
        plan.query,
        (int(plan.positives[best]), 0),
        tuple((int(row), 0) for row in plan.negatives[order].tolist()),
    )


@torch.inference_mode()
def describe(
    inputs: FeatureLoader, trained: TrainedPart, items: Sequence[Item]
) -> NDArray[np.float32]:
    """The descriptors of items, (n, D).

    Raises:
        TrainingError: they are not finite, as after a too high learning rate.
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
