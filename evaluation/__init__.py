"""How often the right place is found: truths, protocols, recall@N and its chance level."""

from evaluation.calibrate import Fitted, Pair, calibrate, read_pairs
from evaluation.calibration_report import write_calibration_report
from evaluation.doctor import examine
from evaluation.errors import TruthError
from evaluation.evaluate import AT, Reranker, evaluate
from evaluation.geometry import GeometryReranker
from evaluation.opening import TruthFiles, open_truth
from evaluation.precision_loss import measure_loss
from evaluation.problem import Diagnosis, Problem
from evaluation.protocols import PROTOCOLS, open_protocol
from evaluation.ranking import Ranked, rank
from evaluation.recall import chance_at, recall_at
from evaluation.report import EvalReport
from evaluation.reporting import write_report
from evaluation.truth import Truth
from evaluation.truth_csv import read_truth_csv
from evaluation.truth_places import read_places_truth
from evaluation.truth_split import read_split_truth

__all__ = [
    "AT",
    "PROTOCOLS",
    "Diagnosis",
    "EvalReport",
    "Fitted",
    "GeometryReranker",
    "Pair",
    "Problem",
    "Ranked",
    "Reranker",
    "Truth",
    "TruthError",
    "TruthFiles",
    "calibrate",
    "chance_at",
    "evaluate",
    "examine",
    "measure_loss",
    "open_protocol",
    "open_truth",
    "rank",
    "read_pairs",
    "read_places_truth",
    "read_split_truth",
    "read_truth_csv",
    "recall_at",
    "write_calibration_report",
    "write_report",
]
