"""Fit and train models: the vocabulary, later mining and training."""

from training.cluster import cluster
from training.errors import TrainingError
from training.whiten import whiten
from training.whitening import WhiteningFit, fit_whitening

__all__ = ["TrainingError", "WhiteningFit", "cluster", "fit_whitening", "whiten"]
