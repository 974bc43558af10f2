"""Photos to train on, with their positives and negatives."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.truth.ground_truth import Rows
from place_search.training.errors import TrainingError

NO_ROWS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Places:
    """Photos and their places, all by row.

    `positives[row]` are the rows of `database` that show the place of that photo;
    `not_negatives[row]` are all rows that may show it or a part of it, the row itself included;
    empty for a photo without a position where others have one. `queries` are the rows with
    positives, and in validation, as in `eval`, also those that never had any: all that are `asked`,
    which the data lists as queries; None where `eval` does not take such data. `visits` (N,) is
    equal for photos of one visit, which are no positives of each other; None where the data does
    not tell visits apart. A photo may be its own positive: it is then compared with its views.
    `holdout_order` (N,) puts neighbouring photos next to each other, so that whole neighbourhoods
    can be held out. `kind` is the source of the labels: positions, places, sequences, truth, or
    photos without labels. `left_out` are sentences on folders that may not be read.
    """

    root: Path
    photos: tuple[str, ...]
    queries: Rows
    database: Rows
    positives: tuple[Rows, ...]
    not_negatives: tuple[Rows, ...]
    holdout_order: NDArray[np.float64]
    kind: str
    left_out: tuple[str, ...] = ()
    asked: Rows | None = None
    visits: NDArray[np.float64] | None = None

    @property
    def unlabelled(self) -> bool:
        """Whether the photos have no labels."""
        return self.kind == "photos"

    @property
    def used_rows(self) -> Rows:
        """The rows that are a query or in the database, ascending."""
        return np.union1d(self.queries, self.database)

    def path(self, row: int) -> Path:
        """The file of a photo."""
        return self.root / self.photos[row]


def make_places(
    root: Path,
    photos: Sequence[str],
    database: Rows,
    positives: Sequence[Rows],
    not_negatives: Sequence[Rows],
    holdout_order: NDArray[np.float64],
    kind: str,
    left_out: tuple[str, ...] = (),
) -> Places:
    """Places whose queries are all photos that have a positive."""
    queries = [row for row, rows in enumerate(positives) if len(rows)]
    return Places(
        root=root,
        photos=tuple(photos),
        queries=np.array(queries, dtype=np.int64),
        database=database,
        positives=tuple(positives),
        not_negatives=tuple(not_negatives),
        holdout_order=holdout_order,
        kind=kind,
        left_out=left_out,
    )


def require_places(places: Places, photos: str) -> None:
    """Make sure that the photos are enough for training.

    Raises:
        TrainingError: no query has a positive, or none has a negative.
    """
    if not any(len(places.positives[row]) for row in places.queries):
        raise TrainingError(
            f"No photo of {photos} has another one within range, so there is nothing to learn; "
            "give photos nearer to each other, a larger --positive-m or --window, or train on "
            "views of each photo with --views 8."
        )
    require_negatives(places, places.queries, photos)


def require_negatives(places: Places, rows: Rows, photos: str) -> None:
    """Make sure that some of these rows have negatives.

    Raises:
        TrainingError: no row has a negative in the database.
    """
    if all(np.isin(places.database, places.not_negatives[row]).all() for row in rows):
        raise TrainingError(
            f"All photos of {photos} show one place, so there is nothing to tell apart; add photos "
            "of other places."
        )


def of_known_places(places: Places) -> Places:
    """Drop photos of unknown position where others have one: they may show any place."""
    return keep(places, np.array([len(rows) > 0 for rows in places.not_negatives], np.bool_))


def as_evaluated(places: Places) -> Places:
    """The same photos with the queries and positives of `eval`.

    Of positions, positives are all photos within --negative-m, 25 m by default; for training only
    photos within --positive-m, 10 m, are sure to show the place. A query without positives counts
    as wrong.
    """
    if places.asked is None:
        return places
    positives = list(places.positives)
    if places.kind == "positions":
        for row in places.asked.tolist():
            rows = np.intersect1d(places.not_negatives[row], places.database)
            positives[row] = of_other_visits(places.visits, row, rows[rows != row])
    return replace(places, positives=tuple(positives), queries=places.asked)


def of_other_visits(visits: NDArray[np.float64] | None, row: int, rows: Rows) -> Rows:
    """Those of the photos `rows` that were not taken on the visit of the photo `row`."""
    return rows if visits is None else rows[visits[rows] != visits[row]]


def with_views(places: Places) -> Places:
    """Make every photo of the database a query and its own positive, searched for by its views.

    Queries outside the database keep only their positives.
    """
    positives = list(places.positives)
    for row in places.database.tolist():
        positives[row] = np.union1d(positives[row], [row])
    return replace(places, queries=places.used_rows, positives=tuple(positives))


def hold_out(places: Places, share: float) -> tuple[Places, Places]:
    """Split off the last `share` of the photos, by `holdout_order`, to validate on.

    No place is on both sides: photos near a held-out photo are not trained on.
    """
    order = np.argsort(places.holdout_order, kind="stable")
    is_held_out = np.zeros(len(order), dtype=np.bool_)
    is_held_out[order[len(order) - max(1, round(share * len(order))) :]] = True
    is_excluded = is_held_out.copy()
    for row in np.flatnonzero(is_held_out).tolist():
        is_excluded[places.not_negatives[row]] = True
    return keep(places, ~is_excluded), keep(places, is_held_out)


def keep(places: Places, is_kept: NDArray[np.bool_]) -> Places:
    """Keep only the photos of the mask `is_kept`, (N,); the others keep their row numbers.

    Queries that lose all their positives go, too.
    """
    positives = tuple(
        rows[is_kept[rows]] if is_kept[row] else NO_ROWS
        for row, rows in enumerate(places.positives)
    )
    queries = [
        row
        for row in places.queries.tolist()
        if is_kept[row] and len(positives[row]) >= min(1, len(places.positives[row]))
    ]
    return replace(
        places,
        queries=np.array(queries, dtype=np.int64),
        database=places.database[is_kept[places.database]],
        positives=positives,
    )
