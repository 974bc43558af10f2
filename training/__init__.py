"""Fit and train models: the vocabulary, later mining and training."""

from training.cluster import cluster
from training.errors import TrainingError

__all__ = ["TrainingError", "cluster"]
