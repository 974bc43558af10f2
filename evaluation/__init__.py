"""Measures recall@N: ground truths, protocols, the chance level, and reports."""

from place_search.evaluation.calibration.calibrate import Fitted, Pair, calibrate, read_pairs
from place_search.evaluation.calibration.calibration_report import (
    begin_calibration_report,
    write_calibration_report,
)
from place_search.evaluation.comparison import Comparison, Difference, compare_reports
from place_search.evaluation.descriptors import IndexDatabase
from place_search.evaluation.doctor.diagnosis import Diagnosis, Finding
from place_search.evaluation.doctor.examine import examine
from place_search.evaluation.errors import TruthError, UnwrittenReportError
from place_search.evaluation.evaluate import RECALL_KS, Reranker, evaluate
from place_search.evaluation.evaluate_files import evaluate_files
from place_search.evaluation.evaluate_models import evaluate_models
from place_search.evaluation.precision_loss import measure_loss
from place_search.evaluation.protocol import EvaluationProtocol, open_protocol
from place_search.evaluation.ranking import Ranked, rank
from place_search.evaluation.recall import chance_at, checked_ks, recall_at
from place_search.evaluation.report import write_report
from place_search.evaluation.results import EvalReport
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.evaluation.truth.kinds.positions import read_places_truth
from place_search.evaluation.truth.kinds.split import read_split_truth
from place_search.evaluation.truth.kinds.truth_csv import read_truth_csv
from place_search.evaluation.truth.open_truth import open_truth
from place_search.evaluation.truth.truth_files import TruthFiles, data_and_index
from place_search.evaluation.verified_ranking import GeometryReranker

__all__ = [
    "RECALL_KS",
    "Comparison",
    "Diagnosis",
    "Difference",
    "EvalReport",
    "EvaluationProtocol",
    "Finding",
    "Fitted",
    "GeometryReranker",
    "GroundTruth",
    "IndexDatabase",
    "Pair",
    "Ranked",
    "Reranker",
    "TruthError",
    "TruthFiles",
    "UnwrittenReportError",
    "begin_calibration_report",
    "calibrate",
    "chance_at",
    "checked_ks",
    "compare_reports",
    "data_and_index",
    "evaluate",
    "evaluate_files",
    "evaluate_models",
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
