"""The outcome of each query."""

from dataclasses import dataclass

import numpy as np

from place_search.evaluation.position_error import position_errors
from place_search.evaluation.recall import first_hits
from place_search.evaluation.results import EvalReport
from place_search.evaluation.truth.ground_truth import GroundTruth


@dataclass(frozen=True, slots=True)
class QueryOutcome:
    """The outcome of a query.

    `first_right` is the rank of its first right result, None if no kept result is right; `error_m`
    is the distance from the query to its first result, None where unknown. A query that `is_read`
    but not `searched` had no photo to search among. An open set's query is `rejected` where no
    photo shows its place and the verdict is not "found".
    """

    query: int
    name: str
    first_right: int | None
    error_m: float | None
    answerable: bool
    searched: bool
    is_read: bool = True
    rejected: bool = False

    @property
    def right(self) -> bool:
        """Whether the first result is right."""
        return self.first_right == 1

    @property
    def is_well(self) -> bool:
        """Whether the answer is right: the first result, or that no photo shows the place."""
        return self.right or self.rejected


def outcomes_of(truth: GroundTruth, report: EvalReport) -> list[QueryOutcome]:
    """The outcome of each query, in their order."""
    first = first_hits([results.rows for results in report.ranked], report.positives)
    errors = position_errors(truth, report.ranked)
    unread = {photo.name for photo in report.unreadable}
    open_set = report.open_set
    return [
        QueryOutcome(
            query=query,
            name=truth.queries[query],
            first_right=int(rank) if np.isfinite(rank) else None,
            error_m=None if np.isnan(errors[query]) else float(errors[query]),
            answerable=bool(len(report.positives[query])),
            searched=bool(len(report.ranked[query].rows)),
            is_read=truth.queries[query] not in unread,
            rejected=open_set is not None
            and truth.queries[query] not in unread
            and not len(report.positives[query])
            and open_set.verdicts[query] != "found",
        )
        for query, rank in enumerate(first)
    ]
