"""Fits the probability of the same place to similarity and geometry."""
