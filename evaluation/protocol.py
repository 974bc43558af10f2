"""What a protocol decides: what is right, how deep a search goes, which of its results count.

Every protocol keeps the share of *all* queries: one without positives counts as wrong.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from place_search.core.plugins import has_part, load_part, part_names
from place_search.evaluation.errors import MeasureError
from place_search.evaluation.recall import chance_at
from place_search.evaluation.truth.ground_truth import GroundTruth, Rows

PROTOCOLS = "place_search.evaluation.protocols"


class EvaluationProtocol:
    """Counts the N nearest photos as they come; subclasses change what they need to.

    `description` completes the sentence "Protocol NAME: …"; `warnings` are sentences beside the
    figures. A protocol that `needs_all_photos` makes no sense of a sample of the database.
    """

    name: str
    description: str
    warnings: Sequence[str] = ()
    needs_all_photos: ClassVar[bool] = False
    filters_candidates: ClassVar[bool] = False
    """Whether what does not count is left out before geometry ranks the rest, too."""
    filters_search: ClassVar[bool] = False
    """Whether `keep` holds for each photo by itself, so that the search leaves out the others."""
    takes_argument: ClassVar[bool] = False

    def __init__(self, truth: GroundTruth) -> None:
        """Measure on a truth. Raises `TruthError` where it lacks what the protocol needs."""
        self.truth = truth
        self.positives: Sequence[Rows] = truth.positives

    def depth(self, n: int) -> int:
        """How many results to search for where `n` will be kept.

        An evaluation asks once, for the most that it keeps; a smaller N counts the first of those.
        """
        return n

    def keep(self, query: int, ranked: Rows) -> NDArray[np.bool_]:
        """Which of a query's results, best first, count towards its N."""
        return np.ones(len(ranked), dtype=np.bool_)

    def candidates(self) -> list[float]:
        """How many results each query could have, for the chance level."""
        size = len(self.truth.database)
        return [float(size - own.size) for own in self.truth.own_rows]

    def right(self) -> list[float]:
        """How many of each query's candidates are right."""
        return [float(len(rows)) for rows in self.positives]

    def chance(self, ns: Iterable[int]) -> dict[int, float]:
        """The expected recall@N of a random ranking, in per cent."""
        return chance_at(self.candidates(), self.right(), ns)


def open_protocol(truth: GroundTruth, name: str | None = None) -> EvaluationProtocol:
    """A protocol by name for a truth; by default the one that its data is measured by.

    What follows a colon, as in `loop-closure:30`, is the protocol's argument.

    Raises:
        MeasureError: there is no such protocol.
        TruthError: the truth lacks what it needs.
    """
    wanted = str(name or truth.protocol)  # who calls from Python may give anything
    base, colon, argument = wanted.partition(":")
    if not has_part(PROTOCOLS, base):
        known = ", ".join(part_names(PROTOCOLS))
        raise MeasureError(f"There is no protocol '{wanted}'; choose one of {known}.", "protocol")
    protocol: type[EvaluationProtocol] = load_part(PROTOCOLS, base).PROTOCOL
    if not colon:
        return protocol(truth)
    if not protocol.takes_argument:
        raise MeasureError(
            f"The protocol {base} takes nothing after a colon; write --protocol {base}.", "protocol"
        )
    return protocol(truth, argument)  # type: ignore[call-arg]
