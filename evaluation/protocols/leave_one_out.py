"""Each photo of one collection is a query against all others."""

from place_search.evaluation.errors import TruthError
from place_search.evaluation.protocol import EvaluationProtocol
from place_search.evaluation.truth.ground_truth import GroundTruth


class LeaveOneOutProtocol(EvaluationProtocol):
    """Needs queries that are all in the database."""

    name = "leave-one-out"
    description = "each photo against all others"
    needs_all_photos = True

    def __init__(self, truth: GroundTruth) -> None:
        super().__init__(truth)
        if not all(own.size for own in truth.own_rows):
            raise TruthError(
                "The protocol leave-one-out needs one folder or CSV of photos with positions, as "
                "in: place-search eval PHOTOS --protocol leave-one-out."
            )


PROTOCOL = LeaveOneOutProtocol
