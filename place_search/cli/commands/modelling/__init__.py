"""Commands that make, fetch and change models."""
