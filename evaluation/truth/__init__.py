"""Ground truth: which database photos show the place of which query."""
