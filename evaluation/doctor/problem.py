"""What the doctor finds."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from place_search.evaluation.truth.ground_truth import GroundTruth


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that would make a job fail or its numbers worthless.

    `kind` is stable; `count` says of how many things it is true and `example` names one of them;
    `mend` is a sentence that says what to do.
    """

    kind: str
    count: int
    example: str
    mend: str


def problem_of(kind: str, examples: Iterable[str], mend: str) -> list[Problem]:
    """A problem of these things, or none where there are none of them."""
    found = list(examples)
    return [Problem(kind, len(found), found[0], mend)] if found else []


@dataclass
class Diagnosis:
    """What the doctor says before a job: the keys of an evaluation's report, and the problems.

    `seconds` are foretold for this machine. `recall` is only known of the `sample`, some queries
    among some photos, whose keys are `queries`, `database`, `recall` and `chance`. `plan` holds
    bytes and photos a second. `notes` are sentences about what is odd but may be meant.
    """

    model: str
    protocol: str | None = None
    truth: GroundTruth | None = None
    database: int = 0
    queries: int = 0
    queries_without_positives: int = 0
    chance: Mapping[int, float] | None = None
    seconds: Mapping[str, float] | None = None
    sample: Mapping[str, Any] | None = None
    plan: Mapping[str, Any] | None = None
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
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
            "problems": [asdict(problem) for problem in self.problems],
            "notes": list(self.notes),
            "sample": self.sample,
            "plan": self.plan,
        }
