"""The doctor's findings and its diagnosis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that would make a job fail or its numbers worthless.

    `code` is stable, for programs; `count` is the number of faulty items, `example` the first of
    them, and `remedy` a sentence on what to do.
    """

    code: str
    count: int
    example: str
    remedy: str

    def to_dict(self) -> dict[str, Any]:
        """The finding with the keys of `place-search doctor --json`."""
        return {
            "kind": self.code,
            "count": self.count,
            "example": self.example,
            "mend": self.remedy,
        }


def findings_of(code: str, examples: Iterable[str], remedy: str) -> list[Finding]:
    """A list with a finding about all examples; empty if there are none."""
    listed = list(examples)
    return [Finding(code, len(listed), listed[0], remedy)] if listed else []


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The doctor's report before a job: figures of its evaluation, and the problems.

    `seconds` are estimated for this machine. Recall is measured only on the `sample`, some queries
    among some photos, whose keys are `queries`, `database`, `recall` and `chance`. `plan` holds
    bytes and photos a second. `notes` are sentences on peculiarities that may be intended.
    `runtime` is the precision that the model runs in, and why.
    """

    model: str
    protocol: str | None = None
    database: int = 0
    queries: int = 0
    queries_without_positives: int = 0
    chance: Mapping[int, float] | None = None
    seconds: Mapping[str, float] | None = None
    sample: Mapping[str, Any] | None = None
    plan: Mapping[str, Any] | None = None
    problems: Sequence[Finding] = ()
    notes: Sequence[str] = ()
    runtime: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis as `place-search doctor --json` prints it."""
        return {
            "protocol": self.protocol,
            "model": self.model,
            "database": self.database,
            "queries": self.queries,
            "queries_without_positives": self.queries_without_positives,
            "recall": None,
            "chance": None
            if self.chance is None
            else {str(n): round(value, 2) for n, value in self.chance.items()},
            "seconds": None
            if self.seconds is None
            else {stage: round(value, 1) for stage, value in self.seconds.items()},
            "problems": [problem.to_dict() for problem in self.problems],
            "notes": list(self.notes),
            "sample": self.sample,
            "plan": self.plan,
            "runtime": self.runtime,
        }
