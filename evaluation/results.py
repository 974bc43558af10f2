"""The report of an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from place_search.core.html import html_table
from place_search.evaluation.open_set import OpenSet
from place_search.evaluation.ranking import Ranked
from place_search.evaluation.truth.ground_truth import Rows
from place_search.indexer import Skipped
from place_search.models import Recall


@dataclass(frozen=True, slots=True)
class EvalReport:
    """Recall@N of a model on a truth, in per cent of all queries, beside the chance level.

    `database` and `queries` count the photos that the truth names. An `unreadable` query counts as
    wrong; an unreadable database photo is never found. `seconds` are of wall time. `unverified` is
    the recall before spatial verification, `single` the recall of each query by itself where
    `recall` is that of sequences; else None. `published` are figures of the same model on the same
    data, from its card. `error_m` has the metres from a query to its first result, by percentile of
    the `error_queries` where both have positions. `open_set` has the figures on queries whose place
    is not in the database, where they were requested. `description` explains the protocol;
    `runtime` names what computed the descriptors. `ms_a_photo` is the wall time from a file to its
    descriptor, with all threads, None where an index had all photos; `bytes_a_photo` is the size of
    a photo in the index, or else in a new one: its descriptor, a byte a number (4 in an index of
    float32), and its local features. With the program's `version`, the `date` (UTC), the model's
    `fingerprint` and `precision`, and the `settings` the evaluation can be repeated. `ranked` holds
    the first results of each query, `positives` its right photos; `==` ignores these two.
    """

    protocol: str
    model: str
    database: int
    queries: int
    queries_without_positives: int
    recall: Mapping[int, float]
    chance: Mapping[int, float]
    seconds: Mapping[str, float]
    unreadable: Sequence[Skipped] = ()
    warnings: Sequence[str] = ()
    unverified: Mapping[int, float] | None = None
    single: Mapping[int, float] | None = None
    published: Sequence[Recall] = ()
    error_m: Mapping[int, float] | None = None
    error_queries: int = 0
    open_set: OpenSet | None = None
    description: str = ""
    runtime: str = ""
    ms_a_photo: float | None = None
    bytes_a_photo: float = 0.0
    version: str = ""
    date: str = ""
    fingerprint: str = ""
    precision: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    ranked: Sequence[Ranked] = field(default=(), repr=False, compare=False)
    positives: Sequence[Rows] = field(default=(), repr=False, compare=False)

    @property
    def other_recalls(self) -> dict[str, Mapping[int, float]]:
        """Other recalls of the same queries, where measured: `unverified` or `single`."""
        kinds = {"unverified": self.unverified, "single": self.single}
        return {kind: recall for kind, recall in kinds.items() if recall is not None}

    def to_dict(self) -> dict[str, Any]:
        """The report as `place-search eval --json` prints it."""
        return {
            "protocol": self.protocol,
            "model": self.model,
            "database": self.database,
            "queries": self.queries,
            "queries_without_positives": self.queries_without_positives,
            "recall": _by_n(self.recall),
            **{kind: _by_n(recall) for kind, recall in self.other_recalls.items()},
            "chance": _by_n(self.chance),
            **(
                {"error_m": _by_n(self.error_m), "error_queries": self.error_queries}
                if self.error_m is not None
                else {}
            ),
            **({"open_set": self.open_set.to_dict()} if self.open_set is not None else {}),
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
            "ms_a_photo": None if self.ms_a_photo is None else round(self.ms_a_photo, 2),
            "bytes_a_photo": round(self.bytes_a_photo),
            "published": [
                {"kind": row.kind, "at": dict(row.at), "note": row.note} for row in self.published
            ],
            "unreadable": [photo._asdict() for photo in self.unreadable],
            "warnings": list(self.warnings),
            "model_fingerprint": self.fingerprint,
            "precision": self.precision,
            "settings": dict(self.settings),
            "version": self.version,
            "date": self.date,
        }

    def to_columns(self) -> dict[str, list[float]]:
        """Recall@N and its chance level, in per cent, as columns for `pandas.DataFrame`."""
        kinds = {"recall": self.recall, **self.other_recalls, "chance": self.chance}
        columns = {kind: list(recall.values()) for kind, recall in kinds.items()}
        return {"n": list(self.recall), **columns}

    def _repr_html_(self) -> str:
        """The table of Recall@N, for notebooks."""
        columns = self.to_columns().items()
        return html_table({name: [f"{value:g}" for value in column] for name, column in columns})


def _by_n(values: Mapping[int, float]) -> dict[str, float]:
    return {str(n): round(value, 2) for n, value in values.items()}


def find_published(recall: Sequence[Recall], name: str) -> list[Recall]:
    """A card's figures on the data of this name; `pitts30k_test` matches `Pitts30k-test`."""
    return [row for row in recall if _plain(row.dataset) == _plain(name)]


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
