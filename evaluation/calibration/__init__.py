"""From similarity and geometry to a probability."""
