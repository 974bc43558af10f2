"""The N nearest photos, with the positives that a truth file lists."""

from place_search.evaluation.protocol import EvaluationProtocol


class TruthCsvProtocol(EvaluationProtocol):
    """Positives as they are listed."""

    name = "truth-csv"
    description = "the N nearest photos as they come"


PROTOCOL = TruthCsvProtocol
