"""What came of each query."""

from dataclasses import dataclass

import numpy as np

from place_search.evaluation.position_error import position_errors
from place_search.evaluation.recall import first_hits
from place_search.evaluation.results import EvalReport
from place_search.evaluation.truth.ground_truth import GroundTruth


@dataclass(frozen=True, slots=True)
class QueryOutcome:
    """One query's results.

    `first_right` is the rank of its first right result, or None where none of those kept is right;
    `error_m` the distance from the query to its first result, or None where that is not known. Of a
    query that was read and not `asked` there was no photo to search among. One is `rejected` where
    no photo shows its place and none was called found, which an open set measures.
    """

    query: int
    name: str
    first_right: int | None
    error_m: float | None
    answerable: bool
    asked: bool
    read: bool = True
    rejected: bool = False

    @property
    def right(self) -> bool:
        """Whether the first result is right."""
        return self.first_right == 1

    @property
    def is_well(self) -> bool:
        """Whether what was said is right: the first result, or that there is none."""
        return self.right or self.rejected


def outcomes_of(truth: GroundTruth, report: EvalReport) -> list[QueryOutcome]:
    """The outcome of each query, in their order."""
    first = first_hits([results.rows for results in report.ranked], report.positives)
    errors = position_errors(truth, report.ranked)
    unread = {photo.name for photo in report.unreadable}
    opened = report.open_set
    return [
        QueryOutcome(
            query=query,
            name=truth.queries[query],
            first_right=int(rank) if np.isfinite(rank) else None,
            error_m=None if np.isnan(errors[query]) else float(errors[query]),
            answerable=bool(len(report.positives[query])),
            asked=bool(len(report.ranked[query].rows)),
            read=truth.queries[query] not in unread,
            rejected=opened is not None
            and truth.queries[query] not in unread
            and not len(report.positives[query])
            and opened.verdicts[query] != "found",
        )
        for query, rank in enumerate(first)
    ]
