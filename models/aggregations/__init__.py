"""From a grid of local features to one descriptor."""
