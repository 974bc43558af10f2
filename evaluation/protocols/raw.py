"""The N nearest photos, as pytorch-NetVlad measures Pittsburgh: no suppression at all."""

from place_search.evaluation.protocol import EvaluationProtocol


class RawProtocol(EvaluationProtocol):
    """Positives by distance."""

    name = "raw"
    description = "the N nearest photos as they come"


PROTOCOL = RawProtocol
