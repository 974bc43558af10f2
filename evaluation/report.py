"""What an evaluation found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexer import Skipped

PROTOCOL = "truth-csv"
"""Positives as the truth file lists them; every query counts in the denominator."""


@dataclass(frozen=True, slots=True)
class EvalReport:
    """Recall@N of a model on a truth, in per cent of all queries, beside the chance level.

    `database` and `queries` count the photos that the truth names. Of the `unreadable` ones a
    query counts as wrong and a database photo is never found. `seconds` are of wall time.
    """

    model: str
    database: int
    queries: int
    queries_without_positives: int
    recall: Mapping[int, float]
    chance: Mapping[int, float]
    seconds: Mapping[str, float]
    unreadable: Sequence[Skipped] = ()
    warnings: Sequence[str] = ()
    protocol: str = PROTOCOL

    def to_json(self) -> dict[str, Any]:
        """The report as `place-search eval --json` prints it."""
        return {
            "protocol": self.protocol,
            "model": self.model,
            "database": self.database,
            "queries": self.queries,
            "queries_without_positives": self.queries_without_positives,
            "recall": {str(n): round(value, 2) for n, value in self.recall.items()},
            "chance": {str(n): round(value, 2) for n, value in self.chance.items()},
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
            "unreadable": [photo._asdict() for photo in self.unreadable],
            "warnings": list(self.warnings),
        }
