"""Fit and train models: the vocabulary, mining and training, the whitening, the export."""

from place_search.training.cluster import cluster
from place_search.training.config import TrainingConfig, preset
from place_search.training.data.open_places import Range, TrainingData, open_places
from place_search.training.distil import DistillationConfig, distil
from place_search.training.errors import TrainingError
from place_search.training.export import export_checkpoint
from place_search.training.loop.train import train
from place_search.training.search_calibration import calibrate_on_searches
from place_search.training.whiten import whiten
from place_search.training.whitening import fit_whitening

__all__ = [
    "DistillationConfig",
    "Range",
    "TrainingConfig",
    "TrainingData",
    "TrainingError",
    "calibrate_on_searches",
    "cluster",
    "distil",
    "export_checkpoint",
    "fit_whitening",
    "open_places",
    "preset",
    "train",
    "whiten",
]
