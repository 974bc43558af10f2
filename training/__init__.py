"""Fit and train models: the vocabulary, mining and training, the whitening, the export."""

from training.cluster import cluster
from training.errors import TrainingError
from training.export import export_checkpoint
from training.recipe import PRESETS, Recipe, preset
from training.run import Data, train
from training.sources import Range, open_places
from training.whiten import whiten
from training.whitening import WhiteningFit, fit_whitening

__all__ = [
    "PRESETS",
    "Data",
    "Range",
    "Recipe",
    "TrainingError",
    "WhiteningFit",
    "cluster",
    "export_checkpoint",
    "fit_whitening",
    "open_places",
    "preset",
    "train",
    "whiten",
]
