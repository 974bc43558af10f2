"""Measure recall@N: embed the photos of a truth, rank by exact search, count."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.ranking import rank
from evaluation.recall import Rows, chance_at, no_better_than_chance, recall_at
from evaluation.report import EvalReport
from evaluation.truth import Truth
from indexer import PlacePhoto, Skipped, StageClock, embed_photos
from netvlad import Model

AT = (1, 5, 10)
Progress = Callable[[int, int], None]


def evaluate(
    truth: Truth,
    model: Model,
    *,
    at: Iterable[int] = AT,
    progress: Progress | None = None,
) -> EvalReport:
    """Recall@N of `model` on `truth`, for each N of `at`.

    A query that is in the database is left out of its own results. Photos that cannot be read are
    listed in the report; such a query counts as wrong. `progress` is called with the photos done
    and their total, for each photo.
    """
    ns = sorted(set(at))
    started = time.perf_counter()
    # The database comes first: its rows are the first rows of the descriptors.
    row_of = {
        name: row for row, name in enumerate(dict.fromkeys((*truth.database, *truth.queries)))
    }
    descriptors, skipped = _embed(truth, list(row_of), model, progress)
    embedded = time.perf_counter()
    asked = np.array([row_of[name] for name in truth.queries], dtype=np.int64)
    ranked = _rank(truth, asked, descriptors, set(skipped), ns[-1])
    searched = time.perf_counter()

    candidates = [len(truth.database) - int(own >= 0) for own in truth.own]
    right = [len(rows) for rows in truth.positives]
    recall = recall_at(ranked, truth.positives, ns)
    return EvalReport(
        model=model.card.id,
        database=len(truth.database),
        queries=len(truth.queries),
        queries_without_positives=right.count(0),
        recall=recall,
        chance=chance_at(candidates, right, ns),
        seconds={"embed": embedded - started, "search": searched - embedded, "verify": 0.0},
        unreadable=list(skipped.values()),
        warnings=[
            *_unreadable(len(skipped), sum(row in skipped for row in asked)),
            *_chance_level(recall, candidates, right, ns[0]),
        ],
    )


def _embed(
    truth: Truth, names: Sequence[str], model: Model, progress: Progress | None
) -> tuple[NDArray[np.float32], dict[int, Skipped]]:
    """(len(names), D) descriptors, with a row of zeros for each photo that was skipped."""
    descriptors = np.zeros((len(names), model.card.dims), dtype=np.float32)
    skipped: dict[int, Skipped] = {}
    photos = (PlacePhoto(truth.path(name), name) for name in names)
    for row, result in embed_photos(enumerate(photos), truth.root, model, StageClock()):
        if isinstance(result, Skipped):
            skipped[row] = result
        else:
            descriptors[row] = result.descriptor
        if progress is not None:
            progress(row + 1, len(names))
    return descriptors, skipped


def _rank(
    truth: Truth, asked: Rows, descriptors: NDArray[np.float32], skipped: set[int], depth: int
) -> list[Rows]:
    """Database rows for each query, best first; skipped photos neither ask nor answer."""
    size = len(truth.database)
    lost = np.array([row for row in sorted(skipped) if row < size], dtype=np.int64)
    ranked = rank(descriptors[asked], descriptors[:size], depth, own=truth.own, lost=lost)
    nothing = np.empty(0, dtype=np.int64)
    return [nothing if row in skipped else rows for row, rows in zip(asked, ranked, strict=True)]


def _unreadable(photos: int, queries: int) -> list[str]:
    if not photos:
        return []
    return [
        f"{photos} of the photos could not be read; {queries} of them are queries and count as "
        "wrong."
    ]


def _chance_level(
    recall: Mapping[int, float], candidates: Sequence[int], right: Sequence[int], n: int
) -> list[str]:
    if not no_better_than_chance(recall[n], candidates, right, n):
        return []
    chance = chance_at(candidates, right, [n])[n]
    return [
        f"R@{n} is {recall[n]:.1f} %, no better than the {chance:.1f} % of a random ranking: "
        "the photos and the truth are probably out of step, or this model sees nothing in them."
    ]
