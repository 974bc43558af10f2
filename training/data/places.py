"""What to train on: photos, and which of them show the place of which."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.truth.ground_truth import Rows
from place_search.training.errors import TrainingError

NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Places:
    """Photos with what is known of their places, all by row.

    `positives[row]` are the rows of `database` that show the place of that photo;
    `not_negatives[row]` are all rows that may show it or a part of it, its own among them; none
    where others have a position and this photo has not.
    `queries` are rows with positives. A photo may be its own positive: it is then compared with
    views of itself. `holdout_order` (N,) puts photos of one neighbourhood next to each other, so
    that a part of it can be held out. `kind` says where this is known from: positions, places,
    sequences, truth, or nothing but the photos. `left_out`
    are sentences on folders that may not be read.
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

    @property
    def unlabelled(self) -> bool:
        """Whether nothing is known but the photos themselves."""
        return self.kind == "photos"

    @property
    def used(self) -> Rows:
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
    asking = [row for row, rows in enumerate(positives) if len(rows)]
    return Places(
        root=root,
        photos=tuple(photos),
        queries=np.array(asking, dtype=np.int64),
        database=database,
        positives=tuple(positives),
        not_negatives=tuple(not_negatives),
        holdout_order=holdout_order,
        kind=kind,
        left_out=left_out,
    )


def require_places(places: Places, what: str) -> None:
    """Make sure that something can be learnt.

    Raises:
        TrainingError: no query has a positive, or none has a negative.
    """
    if not len(places.queries):
        raise TrainingError(
            f"No photo of {what} has another one within range, so there is nothing to learn; give "
            "photos nearer to each other, a larger --positive-m or --window, or train on views of "
            "each photo with --views 8."
        )
    require_negatives(places, places.queries, what)


def require_negatives(places: Places, rows: Rows, what: str) -> None:
    """Make sure that some of these photos can be told from others.

    Raises:
        TrainingError: none has a negative in the database.
    """
    if all(np.isin(places.database, places.not_negatives[row]).all() for row in rows):
        raise TrainingError(
            f"All photos of {what} show one place, so there is nothing to tell apart; add photos "
            "of other places."
        )


def of_known_places(places: Places) -> Places:
    """Without photos of which nobody knows where they were taken: they may show any place."""
    return keep(places, np.array([len(rows) > 0 for rows in places.not_negatives], np.bool_))


def as_evaluated(places: Places) -> Places:
    """The same photos, where right is what `eval` calls right: of positions all that may show it.

    Those are within --negative-m, 25 m; for training only those within --positive-m, 10 m, are sure
    to show the place.
    """
    if places.kind != "positions":
        return places
    known = [row for row, rows in enumerate(places.not_negatives) if len(rows)]
    asking = np.setdiff1d(known, places.database)  # where there are none, all ask for the others
    positives = list(places.positives)
    for row in (asking if len(asking) else places.database).tolist():
        near = np.intersect1d(places.not_negatives[row], places.database)
        positives[row] = near[near != row]
    queries = [row for row, rows in enumerate(positives) if len(rows)]
    return replace(places, positives=tuple(positives), queries=np.array(queries, np.int64))


def with_views(places: Places) -> Places:
    """Every photo of the database is a query too, and its own positive: its views ask for it.

    Other queries ask for their positives, since they are not there to be found themselves.
    """
    positives = list(places.positives)
    for row in places.database.tolist():
        positives[row] = np.union1d(positives[row], [row])
    return replace(places, queries=places.used, positives=tuple(positives))


def hold_out(places: Places, share: float) -> tuple[Places, Places]:
    """Split off the last `share` of the photos, by `holdout_order`, to validate on.

    No place is on both sides: photos near one that is held out are not trained on.
    """
    order = np.argsort(places.holdout_order, kind="stable")
    held = np.zeros(len(order), dtype=np.bool_)
    held[order[len(order) - max(1, round(share * len(order))) :]] = True
    touched = held.copy()
    for row in np.flatnonzero(held).tolist():
        touched[places.not_negatives[row]] = True
    return keep(places, ~touched), keep(places, held)


def keep(places: Places, kept: NDArray[np.bool_]) -> Places:
    """Only some photos, (N,) bool; the others keep their rows but are in no list any more."""
    positives = tuple(
        rows[kept[rows]] if kept[row] else NONE for row, rows in enumerate(places.positives)
    )
    asking = [row for row in places.queries.tolist() if len(positives[row])]
    return replace(
        places,
        queries=np.array(asking, dtype=np.int64),
        database=places.database[kept[places.database]],
        positives=positives,
    )
