"""The rules of an evaluation: which photos are right, how deep a search goes, what counts.

Every protocol gives the share of *all* queries: a query without positives counts as wrong.
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
    """Counts the N nearest photos as they come; subclasses override what differs.

    `description` completes the sentence "Protocol NAME: …"; `warnings` are sentences beside the
    figures. A protocol that `needs_all_photos` makes no sense of a sample of the database.
    """

    name: str
    description: str
    warnings: Sequence[str] = ()
    needs_all_photos: ClassVar[bool] = False
    filters_candidates: ClassVar[bool] = False
    """Whether results that do not count are left out before geometry ranks the rest, too."""
    filters_search: ClassVar[bool] = False
    """Whether `keep` judges each photo by itself, so that the search can leave photos out."""
    takes_argument: ClassVar[bool] = False

    def __init__(self, truth: GroundTruth) -> None:
        """Measure on a truth. Raises `TruthError` where it lacks what the protocol needs."""
        self.truth = truth
        self.positives: Sequence[Rows] = truth.positives

    def depth(self, n: int) -> int:
        """The number of results to search for so that `n` can be kept.

        An evaluation calls this once, with its largest N; a smaller N counts the first results.
        """
        return n

    def keep(self, query: int, ranked: Rows) -> NDArray[np.bool_]:
        """A mask of the results, best first, that count towards a query's N."""
        return np.ones(len(ranked), dtype=np.bool_)

    def candidates(self) -> list[float]:
        """The number of results that each query could have, for the chance level."""
        size = len(self.truth.database)
        return [float(size - own.size) for own in self.truth.own_rows]

    def right(self) -> list[float]:
        """The number of right photos among each query's candidates."""
        return [float(len(rows)) for rows in self.positives]

    def chance(self, ns: Iterable[int]) -> dict[int, float]:
        """The expected recall@N of a random ranking, in per cent."""
        return chance_at(self.candidates(), self.right(), ns)


def open_protocol(truth: GroundTruth, name: str | None = None) -> EvaluationProtocol:
    """A protocol by name for a truth; by default the truth's own.

    The text after a colon, as in `loop-closure:30`, is the protocol's argument.

    Raises:
        MeasureError: there is no such protocol.
        TruthError: the truth lacks what the protocol needs.
    """
    full_name = str(name or truth.protocol)  # callers from Python may pass any object
    base, colon, argument = full_name.partition(":")
    if not has_part(PROTOCOLS, base):
        choices = ", ".join(part_names(PROTOCOLS))
        raise MeasureError(
            f"There is no protocol '{full_name}'; choose one of {choices}.", "protocol"
        )
    protocol: type[EvaluationProtocol] = load_part(PROTOCOLS, base).PROTOCOL
    if not colon:
        return protocol(truth)
    if not protocol.takes_argument:
        raise MeasureError(
            f"The protocol {base} takes nothing after a colon; write --protocol {base}.", "protocol"
        )
    return protocol(truth, argument)  # type: ignore[call-arg]
