"""How often the right place is found: truth files, recall@N and its chance level."""

from evaluation.calibrate import Fitted, Pair, calibrate, read_pairs
from evaluation.calibration_report import write_calibration_report
from evaluation.errors import TruthError
from evaluation.evaluate import AT, evaluate
from evaluation.ranking import rank
from evaluation.recall import chance_at, recall_at
from evaluation.report import EvalReport
from evaluation.truth import Truth, read_truth_csv

__all__ = [
    "AT",
    "EvalReport",
    "Fitted",
    "Pair",
    "Truth",
    "TruthError",
    "calibrate",
    "chance_at",
    "evaluate",
    "rank",
    "read_pairs",
    "read_truth_csv",
    "recall_at",
    "write_calibration_report",
]
